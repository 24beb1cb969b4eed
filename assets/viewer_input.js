// Pointer and keyboard input of the viewer, and its start.

const on = (target, type, action, options = {}) =>
  target.addEventListener(type, action, { signal: life.signal, ...options });

// A drag shorter than a panel's width doubles or halves the window.
const DRAG_SPAN = 420;
const TYPED = "input, textarea, select, [contenteditable], [role=slider]:not(.rr-split), [role=tab]";

function pointOf(event) {
  const stage = event.target.closest(".rr-stage");
  if (!stage) return null;
  const corner = stage.getBoundingClientRect();
  const x = (event.clientX - corner.left) * state.ratio;
  const y = (event.clientY - corner.top) * state.ratio;
  return { panel: stage.parentNode.rrPanel, x, y };
}

let drag = null;
const touches = new Map();

// Two fingers zoom about the point between them, and pan with it.
function pinch(event) {
  const before = [...touches.values()];
  touches.set(event.pointerId, event);
  const after = [...touches.values()];
  const spread = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  const middle = ([a, b], way) => ((a[way] + b[way]) / 2) * state.ratio;
  const dx = middle(after, "clientX") - middle(before, "clientX");
  const dy = middle(after, "clientY") - middle(before, "clientY");
  state.view = panBy(state.view, state.stage, imageBox(), dx, dy);
  const corner = touches.stage.getBoundingClientRect();
  const x = middle(after, "clientX") - corner.left * state.ratio;
  const y = middle(after, "clientY") - corner.top * state.ratio;
  zoomAt(spread(after) / Math.max(spread(before), 1), x, y);
}

function dragKind(event) {
  if (event.button === 1) return "pan";
  if (event.button === 2) return "window";
  return event.shiftKey || state.space ? "pan" : state.mode;
}

on(grid, "pointerdown", (event) => {
  const at = pointOf(event);
  if (!at || !state.value || event.button > 2) return;
  at.panel.root.focus({ preventScroll: true });
  event.preventDefault();
  event.target.closest(".rr-stage").setPointerCapture(event.pointerId);
  if (event.pointerType === "touch") {
    touches.stage = event.target.closest(".rr-stage");
    touches.set(event.pointerId, event);
  }
  drag = { kind: dragKind(event), id: event.pointerId, x: event.clientX, y: event.clientY };
  root.classList.add("rr-dragging");
});

on(grid, "pointermove", (event) => {
  if (touches.size === 2 && touches.has(event.pointerId)) {
    pinch(event);
  } else if (drag && drag.id === event.pointerId) {
    const dx = event.clientX - drag.x;
    const dy = event.clientY - drag.y;
    drag.x = event.clientX;
    drag.y = event.clientY;
    if (drag.kind === "pan") {
      const [across, down] = [dx * state.ratio, dy * state.ratio];
      setView(panBy(state.view, state.stage, imageBox(), across, down));
    } else if (dx || dy) {
      shapeLevels(dy / DRAG_SPAN, 2 ** (dx / DRAG_SPAN));
    }
  }
  state.pointer = pointOf(event);
  if (state.pointer) state.touched = state.pointer.panel;
  redraw();
});

for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
  on(grid, type, (event) => {
    touches.delete(event.pointerId);
    drag = null;
    root.classList.remove("rr-dragging");
  });
}

on(grid, "focusin", (event) => {
  const owner = event.target.closest(".rr-panel");
  if (owner) state.chosen = state.touched = owner.rrPanel;
});
on(grid, "pointerleave", () => {
  state.pointer = null;
  redraw();
});
on(grid, "contextmenu", (event) => event.preventDefault());
on(grid, "dblclick", (event) => pointOf(event) && state.value && reset());
on(
  grid,
  "wheel",
  (event) => {
    const at = pointOf(event);
    if (!at || !state.value) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    zoomAt(2 ** (-Math.max(-400, Math.min(event.deltaY * lines, 400)) / 400), at.x, at.y);
  },
  { passive: false },
);

on(tool.hold, "pointerdown", () => hold(true));
for (const type of ["pointerup", "pointerleave", "pointercancel"]) {
  on(tool.hold, type, () => hold(false));
}
on(tool.hold, "keydown", (event) => {
  if (event.key === " " || event.key === "Enter") hold(true);
});
on(tool.hold, "keyup", () => hold(false));
on(tool.hold, "blur", () => hold(false));

// The divider of the slider.
let splitting = false;
on(divider, "pointerdown", (event) => {
  splitting = true;
  divider.setPointerCapture(event.pointerId);
  divider.focus({ preventScroll: true });
  event.preventDefault();
  event.stopPropagation();
});
on(divider, "pointermove", (event) => {
  if (!splitting) return;
  const stage = divider.parentNode.getBoundingClientRect();
  setSplit((event.clientX - stage.left) / stage.width);
  event.stopPropagation();
});
for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
  on(divider, type, () => (splitting = false));
}
on(divider, "dblclick", (event) => {
  setSplit(0.5);
  event.stopPropagation();
});
on(divider, "keydown", (event) => {
  const step = event.shiftKey ? 0.1 : 0.01;
  const to = {
    ArrowLeft: state.split - step,
    ArrowDown: state.split - step,
    ArrowRight: state.split + step,
    ArrowUp: state.split + step,
    PageDown: state.split - 0.1,
    PageUp: state.split + 0.1,
    Home: 0,
    End: 1,
  }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  setSplit(to);
});

const STEP = 0.05;
const actions = {
  "+": () => zoomCentre(1.25),
  "=": () => zoomCentre(1.25),
  "-": () => zoomCentre(1 / 1.25),
  ArrowLeft: () => setView(panBy(state.view, state.stage, imageBox(), 40 * state.ratio, 0)),
  ArrowRight: () => setView(panBy(state.view, state.stage, imageBox(), -40 * state.ratio, 0)),
  ArrowUp: () => setView(panBy(state.view, state.stage, imageBox(), 0, 40 * state.ratio)),
  ArrowDown: () => setView(panBy(state.view, state.stage, imageBox(), 0, -40 * state.ratio)),
  "[": () => shapeLevels(-STEP, 1),
  "]": () => shapeLevels(STEP, 1),
  ",": () => shapeLevels(0, 1 / 1.1),
  ".": () => shapeLevels(0, 1.1),
  0: () => reset(),
  i: () => hold(true),
  f: () => maximise("touched"),
  s: () => toggle("smooth"),
  e: () => fullScreen(),
  w: () => setMode("window"),
  p: () => setMode("pan"),
  l: () => {
    toggle("captions");
    root.classList.toggle("rr-bare", !state.captions);
    arrange();
  },
  "?": () => showHelp(help.hidden),
};

// Keys are handled when the focus is in the viewer, or when the pointer is over it and no element
// that takes keys has the focus.
function handlesKey(event) {
  const focus = document.activeElement;
  if (withCommandKey(event)) return false;
  if (focus && focus.matches(TYPED)) return false;
  if (root.contains(focus)) return true;
  return root.matches(":hover") && (!focus || focus === document.body || focus.matches("button"));
}

function keyDown(event) {
  if (!root.isConnected) return life.abort();
  if (!state.value || !handlesKey(event)) return undefined;
  if (event.key === "Escape") {
    if (!help.hidden) showHelp(false);
    else if (state.alone !== null) maximise("touched");
    return undefined;
  }
  if (event.key === " ") {
    // Space scrolls the page and presses buttons; the viewer uses it only on a panel.
    if (!grid.contains(document.activeElement)) return undefined;
    state.space = true;
    event.preventDefault();
    return redraw();
  }
  const name = keyName(event);
  const action = /^[1-9]$/.test(name) ? () => usePreset(Number(name) - 1) : actions[name];
  if (!action) return undefined;
  event.preventDefault();
  if (!(event.repeat && "efilsw?".includes(name))) action();
  return undefined;
}

function release() {
  state.space = false;
  hold(false);
  redraw();
}

on(document, "keydown", keyDown);
on(document, "keyup", (event) => {
  if (keyName(event) === "i") hold(false);
  if (event.key === " ") state.space = false;
  redraw();
});
on(document, SHARED, ({ detail }) => {
  const other = detail.root !== root && root.isConnected;
  if (other && state.value && state.value.group === detail.group) {
    useSource(...shared().get(detail.group));
  }
});
on(document, "fullscreenchange", () => arrange());
on(window, "blur", release);
on(document, "visibilitychange", release);
on(window, "resize", () => arrange());
whenRatioChanges(() => arrange(), life.signal);

// For tests and the study: the displayed pixels as bytes.
function readback(key) {
  const panel = panels.find((each) => each.spec.key === key);
  if (!panel || !panel.image) return null;
  panel.paint(lookOf(panel.spec));
  const { width, height, context } = panel.image;
  const bytes = context.getImageData(0, 0, width, height).data;
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return { width, height, base64: btoa(text) };
}

function report() {
  const [low, high] = state.levels;
  return {
    imageId: state.value && state.value.image_id,
    view: { ...state.view },
    scale: state.value ? scaleNow() : null,
    levels: { low, high },
    window: state.value && sourceWindow(),
    preset: state.preset,
    mode: state.mode,
    smooth: state.smooth,
    captions: state.captions,
    held: state.held,
    alone: state.alone,
    split: state.split,
    panels: panels.map((panel) => ({
      key: panel.spec.key,
      token: panel.spec.token,
      shown: panel.shownToken(),
      place: panel.place || null,
      reading: panel.reading || "",
    })),
    ready: !frame && panels.every((panel) => panel.spec.token === panel.shownToken()),
  };
}

element.readingRoom = { readback, state: report };
root.readingRoom = element.readingRoom;
new ResizeObserver(() => arrange()).observe(grid);
receive(props.value);
watch("value", () => receive(props.value));
