// The sample gallery: a click opens a sample.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-sample]');
  if (button) trigger('pick', {key: button.dataset.sample});
});
