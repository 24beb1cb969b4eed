/* Ctrl+Enter runs the comparison. */
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    document.querySelector('#run')?.click();
  }
});
