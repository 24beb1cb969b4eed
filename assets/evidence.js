// The tab "How good is it?": one chapter is shown at a time. Runs once, when the component mounts.

const articles = () => [...element.querySelectorAll("article")];

// Scroll up to the top of the chapter, not beyond, so that the list stays in place.
function scrollToTop() {
  const page = element.querySelector(".evidence");
  const column = element.closest("#stage");
  // On a narrow screen the window scrolls.
  const scrolls = column.scrollHeight > column.clientHeight + 1;
  const top = scrolls ? column.getBoundingClientRect().top : 0;
  if (page.getBoundingClientRect().top < top) page.scrollIntoView({ block: "start" });
}

function mark(key) {
  for (const entry of element.querySelectorAll("[data-chapter]")) {
    const here = entry.dataset.chapter === key;
    const button = entry.querySelector("button");
    entry.classList.toggle("here", here);
    if (here) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (here) reveal(button);
  }
  element.querySelector("select").value = key;
}

// The list scrolls by itself; scrollIntoView would move the page as well.
function reveal(button) {
  const list = button.closest("nav");
  const [inner, outer] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
  list.scrollTop += Math.min(inner.top - outer.top, 0) || Math.max(inner.bottom - outer.bottom, 0);
}

// A table with hidden columns at its right fades there.
function fade(table) {
  const rest = table.scrollWidth - table.clientWidth - table.scrollLeft;
  table.classList.toggle("more", rest > 2);
}

function open(article) {
  for (const other of articles()) {
    if (other === article) other.removeAttribute("hidden");
    else other.setAttribute("hidden", "until-found");
  }
  mark(article.id);
  article.querySelectorAll(".evidence-table").forEach(fade);
}

function go(key) {
  const target = element.querySelector(`[id="${CSS.escape(key)}"]`);
  const article = target && target.closest("article");
  if (!article) return;
  open(article);
  if (target === article) scrollToTop();
  else target.scrollIntoView({ block: "start" });
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent.trim());
    button.textContent = "Copied";
  } catch {
    // Without HTTPS there is no clipboard: the text is selected for copying with the keyboard.
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

element.addEventListener("click", (event) => {
  const link = event.target.closest("[data-go]");
  const button = event.target.closest("[data-copy]");
  if (link) {
    event.preventDefault();
    go(link.dataset.go);
  } else if (button) {
    copy(button);
  }
});
element.addEventListener("change", (event) => go(event.target.value));
element.addEventListener("beforematch", (event) => {
  const article = event.target.closest("article");
  if (article) open(article);
});

element.addEventListener("scroll", (event) => {
  if (event.target.matches(".evidence-table")) fade(event.target);
}, true);

function start() {
  const shown = articles().find((article) => !article.hasAttribute("hidden"));
  if (shown) open(shown);
}

new ResizeObserver(() => element.querySelectorAll(".evidence-table").forEach(fade)).observe(element);
watch("value", start);
start();
