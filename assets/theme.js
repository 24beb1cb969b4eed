/* Light or dark: the address asks for one, else what the visitor chose before, else dark. Gradio may
   have followed the system's theme before this runs, so the class is set as well as the address,
   which Gradio reads at the next start. */
(() => {
  const address = new URL(window.location);
  const memory = {
    get() { try { return localStorage.getItem('readingroom-theme'); } catch { return null; } },
    set(name) { try { localStorage.setItem('readingroom-theme', name); } catch { return; } },
  };
  const use = (name) => {
    address.searchParams.set('__theme', name);
    history.replaceState(null, '', address);
    document.body.classList.toggle('dark', name === 'dark');
  };
  use(address.searchParams.get('__theme') || memory.get() || 'dark');
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-theme-toggle]')) return;
    const name = document.body.classList.contains('dark') ? 'light' : 'dark';
    use(name);
    memory.set(name);
  });
})();
