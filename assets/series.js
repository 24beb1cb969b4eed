// The series of an upload: a click opens one. Here, too, is what Gradio's file field lacks: folders,
// dropped or chosen, and a limit of files, which is checked before anything is sent.
const FIELD = '#upload';

element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-series]');
  if (button) trigger('pick', { key: button.dataset.series });
});

function allowed(count) {
  if (count > 0 && count <= props.value.most) return true;
  trigger('refuse', { count });
  return false;
}

// Files for the field's own input, as if they had been chosen there.
function give(files) {
  const input = document.querySelector(`${FIELD} input[type=file]`);
  if (!input || !allowed(files.length)) return;
  const data = new DataTransfer();
  files.forEach((file) => data.items.add(file));
  input.files = data.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}

const visible = (name) => !name.startsWith('.') && name !== '__MACOSX' && name !== 'Thumbs.db';

async function filesOf(entry) {
  if (!visible(entry.name)) return [];
  if (entry.isFile) return [await new Promise((done, failed) => { entry.file(done, failed); })];
  const reader = entry.createReader();
  const found = [];
  // A reader gives a hundred entries at a time.
  for (;;) {
    const some = await new Promise((done, failed) => { reader.readEntries(done, failed); });
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}

async function dropped(event) {
  if (!event.target.closest?.(FIELD)) return;
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const folders = entries.some((entry) => entry.isDirectory);
  if (!folders && event.dataTransfer.files.length <= props.value.most) return;
  event.preventDefault();
  event.stopPropagation();
  // The field leaves the look that it has while something is dragged over it.
  event.target.dispatchEvent(new DragEvent('dragleave', { bubbles: true }));
  give((await Promise.all(entries.map(filesOf))).flat());
}

function chosen(event) {
  const input = event.target;
  if (!input.matches?.(`${FIELD} input[type=file]`) || input.files.length <= props.value.most) return;
  event.stopPropagation();
  allowed(input.files.length);
}

function chooseFolder(event) {
  if (!event.target.closest?.('#upload-folder')) return;
  const input = document.createElement('input');
  input.type = 'file';
  input.webkitdirectory = true;
  input.addEventListener('change', () => {
    give([...input.files].filter((file) => file.webkitRelativePath.split('/').every(visible)));
  });
  input.click();
}

document.addEventListener('drop', dropped, true);
document.addEventListener('change', chosen, true);
document.addEventListener('click', chooseFolder);
