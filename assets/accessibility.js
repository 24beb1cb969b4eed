/* What Gradio's components lack for screen readers and the keyboard: names, states, arrow keys. */
(() => {
  const set = (node, name, value) => {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const textOf = (node) => (node ? node.textContent.trim() : '');

  // A fold says whether it is open, and a method's fold whose parameters it holds.
  const nameFold = (fold) => {
    set(fold, 'aria-expanded', String(fold.classList.contains('open')));
    const method = textOf(fold.closest('.method-card')?.querySelector('.method-choice label'));
    if (!method) return;
    const title = textOf(fold.querySelector('span'));
    set(fold, 'aria-label', `${title === 'Advanced' ? 'Advanced parameters' : title} of ${method}`);
  };

  const nameBlock = (block) => {
    const label = textOf(block.querySelector('[data-testid="block-label"]'));
    if (!label) return;
    if (block.matches('[data-testid="json"]')) {
      set(block, 'role', 'region');
      set(block, 'aria-label', label);
      for (const empty of block.querySelectorAll('.empty[aria-label]')) set(empty, 'role', 'img');
    }
    for (const drop of block.querySelectorAll('button[aria-dropeffect]')) {
      set(drop, 'aria-label', `${label}: click to upload, or drop a file`);
    }
  };

  const improve = () => {
    document.querySelectorAll('button.label-wrap').forEach(nameFold);
    document.querySelectorAll('.block').forEach(nameBlock);
  };

  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      improve();
    }, 100);
  };
  const watched = { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] };
  new MutationObserver(later).observe(document.documentElement, watched);

  // Arrow keys, Home and End choose a tab.
  document.addEventListener('keydown', (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (!tab || event.ctrlKey || event.metaKey || event.altKey) return;
    const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
    const at = tabs.indexOf(tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const chosen = tabs.at(to % tabs.length);
    chosen.focus();
    chosen.click();
  });

  document.addEventListener('click', (event) => {
    const link = event.target.closest('.skip-link');
    const target = link && document.querySelector(link.getAttribute('href'));
    if (!target) return;
    event.preventDefault();
    target.tabIndex = -1;
    target.focus();
  });
})();
