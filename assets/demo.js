/* Watches the progress of a visitor, and shows the report after the last pair. */
const frame = document.querySelector('iframe');
const links = document.querySelector('.links');
const words = document.querySelector('.bar span');
const calm = words.textContent;
let over = false;
frame.addEventListener('load', () => frame.contentWindow.focus());
async function watch() {
  try {
    const { done, total } = await (await fetch('status', { cache: 'no-store' })).json();
    words.textContent = calm;
    if (total > 0 && done === total && !over) {
      over = true;
      words.textContent = 'Making the report …';
      frame.src = 'report';
      frame.title = 'The report';
      frame.addEventListener('load', () => {
        words.textContent = 'This is the report of your six pairs and the simulated readers.';
        links.hidden = false;
      }, { once: true });
    }
  } catch { words.textContent = 'The server does not answer.'; }
  if (!over) setTimeout(watch, 1000);
}
watch();
