// The list of networks: a button with a question asks it by changing its own text for 5 seconds.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (!button) return;
  const question = button.dataset.question;
  if (question && !button.classList.contains('asked')) {
    const before = button.textContent;
    button.classList.add('asked');
    button.textContent = question;
    setTimeout(() => {
      button.classList.remove('asked');
      button.textContent = before;
    }, 5000);
    return;
  }
  if (button.dataset.action === 'choose') {
    document.querySelector('#network-add')?.scrollIntoView({behavior: 'smooth', block: 'start'});
  }
  trigger('act', {action: button.dataset.action, key: button.dataset.key});
});
