// The navigator of a volume: small views with crossing lines, one slider each, and one for the time.
const root = element.querySelector(".nav");
const life = new AbortController();
const on = (target, type, action, options = {}) =>
  target.addEventListener(type, action, { signal: life.signal, ...options });
// The server answers one movement at a time; of those that come meanwhile, the last one counts.
const LONGEST = 4000;
let busy = 0;
let waiting = null;
let views = new Map();
let time = null;
let note = null;
let layout = "";

// Text goes into the page as text nodes only; no string is ever parsed as HTML.
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function send(movement) {
  if (busy) {
    waiting = movement;
    return;
  }
  busy = setTimeout(answered, LONGEST);
  trigger("move", movement);
}

function answered() {
  clearTimeout(busy);
  busy = 0;
  const next = waiting;
  waiting = null;
  if (next) send(next);
}

function slider(words, moved) {
  const input = make("input", { type: "range", min: "1", step: "1", "aria-label": words });
  const count = make("output", {});
  on(input, "input", () => {
    count.textContent = `${input.value} / ${input.max}`;
    moved(Number(input.value) - 1);
  });
  return { input, count, root: make("div", { class: "nav-slide" }, input, count) };
}

function place({ input, count }, index, total) {
  input.max = String(total);
  // The hand on the slider is ahead of the server.
  if (waiting && document.activeElement === input) return;
  input.value = String(index + 1);
  count.textContent = `${index + 1} / ${total}`;
}

function view(plane, label) {
  const picture = make("img", { alt: "", draggable: "false" });
  const lines = ["x", "y"].map((way) => make("div", { class: `nav-line nav-${way}` }));
  const letters = ["left", "right", "top", "bottom"].map((side) =>
    make("span", { class: `nav-edge nav-${side}` }),
  );
  const stage = make("div", { class: "nav-stage" }, picture, ...lines, ...letters);
  const button = make("button", { type: "button", class: "nav-name" }, label);
  const slide = slider(`${label} slice`, (index) => send({ plane, index }));
  const node = make("div", { class: "nav-view", "data-plane": plane }, button, stage, slide.root);
  const one = { plane, picture, lines, letters, stage, button, slide, root: node, spec: null };
  on(button, "click", () => send({ plane }));
  const point = (event) => {
    const box = stage.getBoundingClientRect();
    send({ plane, u: (event.clientX - box.left) / box.width, v: (event.clientY - box.top) / box.height });
  };
  on(stage, "pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    point(event);
  });
  on(stage, "pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) point(event);
  });
  let turned = 0;
  on(
    stage,
    "wheel",
    (event) => {
      event.preventDefault();
      turned += event.deltaY * (event.deltaMode ? 33 : 1);
      const steps = Math.trunc(turned / 40);
      if (!steps) return;
      turned -= steps * 40;
      const to = Number(slide.input.value) + steps;
      slide.input.value = String(to);
      slide.count.textContent = `${slide.input.value} / ${slide.input.max}`;
      send({ plane, index: Number(slide.input.value) - 1 });
    },
    { passive: false },
  );
  return one;
}

function build(value) {
  views = new Map(value.views.map(({ plane, label }) => [plane, view(plane, label)]));
  time = value.time ? slider(value.time.label, (index) => send({ time: index })) : null;
  note = make("div", { class: "nav-note", role: "status" });
  const row = make("div", { class: "nav-views" }, ...[...views.values()].map((one) => one.root));
  const parts = views.size ? [row] : [];
  if (time) {
    const name = make("span", { class: "nav-time-name" }, value.time.label);
    parts.push(make("div", { class: "nav-time" }, name, time.root));
  }
  root.replaceChildren(...parts, note);
}

function show() {
  const value = props.value;
  if (!value || !value.views) return;
  const shape = JSON.stringify([value.file, value.views.map((one) => one.plane), Boolean(value.time)]);
  if (shape !== layout) build(value);
  layout = shape;
  const widest = Math.max(...value.views.map(({ size }) => size[0]), 0);
  for (const spec of value.views) {
    const one = views.get(spec.plane);
    const active = spec.plane === value.active;
    one.root.classList.toggle("nav-active", active);
    one.button.setAttribute("aria-pressed", String(active));
    one.button.title = active ? "Shown in the viewer" : "Show this plane in the viewer";
    if (one.picture.src !== spec.picture) one.picture.src = spec.picture;
    one.picture.alt = `${spec.label} slice ${spec.index + 1} of ${spec.count}`;
    one.stage.style.aspectRatio = `${spec.size[0]} / ${spec.size[1]}`;
    one.root.style.flexGrow = String(Math.max(spec.size[0] / widest, 0.4));
    one.lines[0].style.left = `${100 * spec.cross[0]}%`;
    one.lines[1].style.top = `${100 * spec.cross[1]}%`;
    one.letters.forEach((letter, side) => (letter.textContent = spec.edges[side] || ""));
    place(one.slide, spec.index, spec.count);
  }
  if (time) place(time, value.time.index, value.time.count);
  if (note) note.textContent = value.note || "";
  answered();
}

watch("value", show);
show();
