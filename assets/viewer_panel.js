// One panel: a native canvas with the windowed image, and the canvas on the page that shows it.

// Text goes into the page as text nodes only; no string is ever parsed as HTML.
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function putText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The name of a pressed key: a digit of the keypad whether Num Lock is on or off, a letter in lower
// case, and the Latin letter at the same place where the layout has another script.
function keyName({ key, code }) {
  const keypad = /^Numpad([0-9])$/.exec(code);
  if (keypad) return keypad[1];
  if (key.length !== 1) return key;
  const letter = /^Key([A-Z])$/.exec(code);
  return (letter && key > "\u007f" ? letter[1] : key).toLowerCase();
}

// Whether a key press is a command of the browser or unfinished text; AltGr only writes characters.
function withCommandKey(event) {
  const { ctrlKey, metaKey, altKey, isComposing } = event;
  return isComposing || metaKey || ((ctrlKey || altKey) && !event.getModifierState("AltGraph"));
}

// Calls `action()` when a page pixel becomes another number of screen pixels: zoom, another monitor.
// Not every browser reports that by itself, so the next movement of the mouse looks as well.
function whenRatioChanges(action, signal) {
  let ratio = window.devicePixelRatio;
  const look = () => {
    if (window.devicePixelRatio === ratio) return;
    ratio = window.devicePixelRatio;
    listen();
    action();
  };
  const listen = () => {
    const query = matchMedia(`(resolution: ${ratio}dppx)`);
    query.addEventListener("change", look, { once: true, signal });
  };
  listen();
  for (const type of ["resize", "focus", "pointermove", "keydown"]) {
    window.addEventListener(type, look, { signal, capture: true });
  }
}

function pixelAddress(base, token) {
  const root = new URL((window.gradio_config && window.gradio_config.root) || "/", location.href);
  const folder = new URL(root.pathname.replace(/\/*$/, "/"), location.origin);
  return new URL(base + token, folder);
}

async function fetchPixels(base, spec) {
  const answer = await fetch(pixelAddress(base, spec.token), { cache: "no-store" });
  if (!answer.ok) throw new Error("The server no longer holds these pixels. Run the methods again.");
  const buffer = await answer.arrayBuffer();
  if (buffer.byteLength !== spec.width * spec.height * spec.channels * 2) {
    throw new Error("The pixels did not arrive complete. Run the methods again.");
  }
  return new Uint16Array(buffer);
}

// A bar of colours with the values of its ends; the words say what the colours mean.
function colourBar() {
  const [least, most, words] = ["", "", "rr-colours-words"].map((name) => make("span", { class: name }));
  const ramp = make("div", { class: "rr-colours-ramp" });
  const bar = make("div", { class: "rr-colours" }, least, ramp, most, words);
  return { bar, ramp, least, most, words };
}

function putColours({ ramp }, shades) {
  const listed = shades.map((shade) => `rgb(${shade})`).join(", ");
  ramp.style.background = `linear-gradient(to right, ${listed})`;
}

class PanelView {
  constructor(changed) {
    this.changed = changed;
    this.image = null;
    this.failure = "";
    this.loading = false;
    this.label = make("span", { class: "rr-label" });
    this.caption = make("span", { class: "rr-caption" });
    this.head = make("div", { class: "rr-head" }, this.label, this.caption);
    this.canvas = make("canvas", { class: "rr-canvas", role: "img" });
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.noteTitle = make("div", { class: "rr-note-title" });
    this.noteText = make("div", { class: "rr-note-text" });
    this.note = make("div", { class: "rr-note" }, this.noteTitle, this.noteText);
    this.badge = make("div", { class: "rr-badge" });
    this.read = make("div", { class: "rr-read" });
    this.scaleText = make("span", {});
    this.scaleLine = make("div", { class: "rr-scale-line" });
    this.scale = make("div", { class: "rr-scale" }, this.scaleText, this.scaleLine);
    this.cross = make("div", { class: "rr-cross" });
    this.bar = make("div", { class: "rr-progress" });
    this.edges = ["left", "right", "top", "bottom"].map((side) =>
      make("span", { class: `rr-edge rr-edge-${side}` }),
    );
    this.colours = colourBar();
    this.colours.bar.hidden = true;
    const overlays = [
      this.note, this.badge, this.colours.bar, this.read, this.scale, this.cross, this.bar,
      ...this.edges,
    ];
    this.stage = make("div", { class: "rr-stage" }, this.canvas, ...overlays);
    this.root = make("div", { class: "rr-panel", role: "group", tabindex: "0" });
    this.root.append(this.head, this.stage);
    this.root.rrPanel = this;
  }

  update(spec, base) {
    this.spec = spec;
    this.base = base;
    putText(this.label, spec.label);
    putText(this.caption, spec.caption);
    this.label.title = spec.label;
    this.caption.title = spec.caption;
    const about = [spec.label, spec.caption, spec.pending ? "in progress" : ""];
    this.root.setAttribute("aria-label", about.filter(Boolean).join(", "));
    this.showScale(spec.scale);
    if (!spec.token) this.image = null;
    this.failure = "";
    if (spec.token) this.load();
  }

  showScale(scale) {
    const { bar, least, most, words } = this.colours;
    bar.hidden = !scale || !this.spec.token;
    const { label } = this.spec;
    const about = scale ? `${label}: ${scale.words}, from ${scale.least} to ${scale.most}` : label;
    this.canvas.setAttribute("aria-label", about);
    if (!scale) return;
    putColours(this.colours, COLOURS[scale.colours]);
    putText(least, scale.least);
    putText(most, scale.most);
    putText(words, scale.words);
  }

  // The current image stays until the next one is complete. During a fetch later images wait, and
  // only the latest of them is fetched.
  async load() {
    if (this.loading) return;
    this.loading = true;
    while (this.spec.token && this.spec.token !== this.shownToken() && !this.failure) {
      const spec = this.spec;
      try {
        const values = await fetchPixels(this.base, spec);
        if (this.spec.token) this.image = this.decode(values, spec);
      } catch (error) {
        if (this.spec.token === spec.token) this.failure = error.message;
      }
      this.changed();
    }
    this.loading = false;
  }

  shownToken() {
    return this.image ? this.image.token : null;
  }

  decode(values, { token, width, height, channels }) {
    const old = this.image;
    const same = old && old.width === width && old.height === height;
    const canvas = same ? old.canvas : make("canvas", { width, height });
    const context = same ? old.context : canvas.getContext("2d", { alpha: false });
    const data = same ? old.data : context.createImageData(width, height);
    return { token, width, height, channels, values, canvas, context, data, look: null };
  }

  // Window the native canvas, if this look has not been applied yet.
  paint(look) {
    const image = this.image;
    if (!image || image.look === look) return;
    const { values, width, channels, data } = image;
    paintPixels(values, channels, look.table, data.data);
    if (channels === 1 && (look.cut[0] || look.cut[1])) {
      hatch(values, width, look.cut, new Uint32Array(data.data.buffer));
    }
    image.context.putImageData(data, 0, 0);
    image.look = look;
  }

  // From the left, or over what is there from a column on.
  draw(image, stage, place, smooth, from = 0) {
    const { canvas, context } = this;
    if (canvas.width !== stage.width || canvas.height !== stage.height) {
      canvas.width = stage.width;
      canvas.height = stage.height;
    }
    context.save();
    context.beginPath();
    context.rect(from, 0, stage.width - from, stage.height);
    context.clip();
    this.drawClipped(image, stage, place, smooth);
    context.restore();
  }

  drawClipped(image, stage, place, smooth) {
    const { context } = this;
    context.fillStyle = "#000";
    context.fillRect(0, 0, stage.width, stage.height);
    if (!image) return;
    // Enlarged pixels stay squares unless smoothing is on; a reduced image must be averaged, since
    // skipped pixels would misrepresent it.
    context.imageSmoothingEnabled = smooth || place.width < image.width;
    context.imageSmoothingQuality = "high";
    context.drawImage(image.canvas, place.x, place.y, place.width, place.height);
  }

  showNote() {
    const { spec } = this;
    const problem = spec.error || this.failure;
    const waiting = !this.image && !problem;
    this.note.hidden = !waiting && !problem;
    this.root.classList.toggle("rr-failed", Boolean(problem));
    putText(this.noteTitle, problem ? "No result" : spec.label);
    const state = spec.pending ? spec.caption || "Waiting to start" : "Loading";
    putText(this.noteText, problem || state);
    this.bar.hidden = !spec.pending || spec.progress === null;
    this.bar.style.width = `${100 * (spec.progress || 0)}%`;
  }

  // The values of the pixel at a fraction (u, v) of the image, or null outside.
  sample(image, u, v) {
    if (!image || u < 0 || v < 0 || u >= 1 || v >= 1) return null;
    const column = Math.floor(u * image.width);
    const row = Math.floor(v * image.height);
    const start = (row * image.width + column) * image.channels;
    return { column, row, levels: image.values.subarray(start, start + image.channels) };
  }
}
