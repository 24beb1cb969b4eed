/* The compare page: Ctrl+Enter, the name of the tab's session, and the picture on a small screen. */
(() => {
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      document.querySelector('#run')?.click();
    }
  });

  // The tab keeps the name of its session, so that the page, loaded anew, finds what it had.
  const key = 'readingroom-visit';
  window.readingRoomVisit = {
    get() { try { return sessionStorage.getItem(key) || ''; } catch { return ''; } },
    set(name) { try { sessionStorage.setItem(key, name); } catch { return; } },
  };
  // A page that the browser brings back as it was has no session any more.
  window.addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

  // Where the settings lie above the picture, the picture is brought into view.
  const showStage = () => {
    if (!matchMedia('(max-width: 900px)').matches) return;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    document.querySelector('#stage')?.scrollIntoView({ behavior: still ? 'auto' : 'smooth' });
  };
  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-sample], #run')) showStage();
  });
  document.addEventListener('change', (event) => {
    if (event.target.closest('#upload')) showStage();
  });
})();
