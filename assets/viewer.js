// The viewer itself: payload, toolbar, pointer, keyboard. Runs once, when the component mounts.

const HEAD_HEIGHT = 26;
const GAP = 2;
const KEYS = [
  ["Drag", "contrast: right is wider, down is darker"],
  ["Shift drag", "pan; so does the middle button, or Space and drag"],
  ["Wheel, +, \u2212", "zoom"],
  ["Arrow keys", "pan"],
  ["[  ]", "window centre down, up"],
  [",  .", "window width narrower, wider"],
  ["1 to 9", "window presets"],
  ["0, double click", "reset zoom and window"],
  ["W  P", "left drag changes contrast; pans"],
  ["I (hold)", "show the input in every panel"],
  ["F", "one panel alone, and back"],
  ["Tab", "next panel"],
  ["S", "smooth enlarged pixels"],
  ["L", "labels on and off"],
  ["?  Esc", "this list"],
];

const IDENTITY = windowTable(0, U16_MAX);
const root = element.querySelector(".rr");
const life = new AbortController();
const state = {
  value: null,
  view: { ...HOME },
  levels: [0, U16_MAX],
  table: IDENTITY,
  preset: 0,
  mode: "window",
  smooth: false,
  captions: true,
  alone: null,
  chosen: null,
  touched: null,
  held: false,
  space: false,
  pointer: null,
  stage: { width: 1, height: 1 },
  ratio: 1,
};
let panels = [];
let frame = 0;

// Toolbar

function button(text, title, action) {
  const node = make("button", { type: "button", title }, text);
  node.addEventListener("click", action);
  return node;
}

function field(name, title) {
  const attributes = { class: "rr-number", inputmode: "decimal", title, "aria-label": title };
  const input = make("input", { type: "text", autocomplete: "off", ...attributes });
  input.addEventListener("change", () => typedWindow(input));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") showWindow(true);
  });
  return [make("span", { class: "rr-dim", "aria-hidden": "true" }, name), input];
}

const tool = {
  window: button("Window", "Left drag changes contrast (W)", () => setMode("window")),
  pan: button("Pan", "Left drag pans (P)", () => setMode("pan")),
  presets: make("select", { "aria-label": "Window preset", title: "Window preset (1 to 9)" }),
  units: make("span", { class: "rr-dim rr-units" }),
  out: button("\u2212", "Zoom out (\u2212)", () => zoomCentre(1 / 1.25)),
  zoom: make("span", { class: "rr-zoom", title: "Screen pixels per pixel of the input" }),
  in: button("+", "Zoom in (+)", () => zoomCentre(1.25)),
  fit: button("Fit", "Whole image", () => setView(HOME)),
  one: button("1:1", "One screen pixel for a pixel of the image", () => oneToOne()),
  smooth: button("Smooth", "Smooth enlarged pixels (S)", () => toggle("smooth")),
  hold: button("Show input", "Hold to see the input everywhere (I)", () => {}),
  alone: button("Maximise", "One panel alone (F)", () => maximise("chosen")),
  help: button("?", "Keys and mouse (?)", () => showHelp(help.hidden)),
};
const [levelName, levelField] = field("C", "Window centre");
const [widthName, widthField] = field("W", "Window width");
const spoken = make("div", { class: "rr-spoken", "aria-live": "polite" });
const bar = make("div", { class: "rr-bar", role: "toolbar", "aria-label": "Viewer" });
const group = (...nodes) => make("div", { class: "rr-group" }, ...nodes);
bar.append(
  group(tool.window, tool.pan),
  group(tool.presets, levelName, levelField, widthName, widthField, tool.units),
  group(tool.out, tool.zoom, tool.in, tool.fit, tool.one, tool.smooth),
  group(tool.hold, tool.alone, tool.help),
);
const grid = make("div", { class: "rr-grid", role: "group", "aria-label": "Images", tabindex: "-1" });
const empty = make("div", { class: "rr-empty" }, "No image yet");
const help = make("div", { class: "rr-help", role: "dialog", "aria-label": "Keys and mouse" });
const keyList = make("dl", {});
for (const [keys, what] of KEYS) keyList.append(make("dt", {}, keys), make("dd", {}, what));
help.append(make("div", { class: "rr-help-title" }, "Keys and mouse"), keyList);
help.append(button("Close", "Close (Esc)", () => showHelp(false)));
help.hidden = true;
root.replaceChildren(bar, make("div", { class: "rr-body" }, grid, empty, help), spoken);
tool.presets.addEventListener("change", () => usePreset(Number(tool.presets.value)));

// State

function redraw() {
  if (!frame) frame = requestAnimationFrame(render);
}

function say(text) {
  putText(spoken, text);
}

function toSource(level) {
  const [low, high] = state.value.window;
  return low + (level / U16_MAX) * (high - low);
}

function sourceWindow() {
  const [low, high] = state.levels.map(toSource);
  return { low, high, center: (low + high) / 2, width: high - low };
}

let telling = 0;
function tellPython() {
  clearTimeout(telling);
  const units = state.value.units;
  telling = setTimeout(() => trigger("window_change", { ...sourceWindow(), units }), 250);
}

function setLevels(low, high, preset = -1) {
  const first = Math.round(Math.min(Math.max(low, -4 * U16_MAX), 5 * U16_MAX));
  const last = Math.max(first + 1, Math.round(Math.min(Math.max(high, -4 * U16_MAX), 5 * U16_MAX)));
  state.levels = [first, last];
  state.preset = preset;
  state.table = windowTable(first, last);
  redraw();
}

function shapeLevels(shift, stretch) {
  const [low, high] = state.levels;
  const width = Math.max((high - low) * stretch, 8);
  const center = (low + high) / 2 + shift * (high - low);
  setLevels(center - width / 2, center + width / 2);
  tellPython();
}

function usePreset(index) {
  const preset = state.value && state.value.presets[index];
  if (!preset) return;
  setLevels(...preset.levels, index);
  tellPython();
  say(`${preset.label} window`);
}

// The field that was typed in counts as it is; the other one shows a rounded number.
function typedWindow(input) {
  const typed = parseNumber(input.value);
  if (state.value && typed !== null && (input === levelField || typed > 0)) {
    const now = sourceWindow();
    const center = input === levelField ? typed : now.center;
    const width = input === widthField ? typed : now.width;
    const [low, high] = state.value.window;
    const scale = U16_MAX / (high - low);
    setLevels((center - width / 2 - low) * scale, (center + width / 2 - low) * scale);
    tellPython();
  }
  showWindow(true);
}

function setMode(mode) {
  state.mode = mode;
  say(mode === "pan" ? "Left drag pans" : "Left drag changes contrast");
  redraw();
}

function toggle(name) {
  state[name] = !state[name];
  redraw();
}

function hold(on) {
  const can = on && panels.some((panel) => panel.spec.key === state.value.input && panel.image);
  if (state.held === can) return;
  state.held = can;
  say(can ? "Showing the input" : "Showing the results");
  redraw();
}

// A key means the panel that was last pointed at or focused; a button only the focused one,
// because the way to it leads across others.
function activePanel(which) {
  return panels.includes(state[which]) ? state[which] : panels[panels.length - 1];
}

function maximise(which) {
  state.alone = state.alone === null && panels.length > 1 ? activePanel(which).spec.key : null;
  say(state.alone === null ? "All panels" : "One panel");
  arrange();
}

function showHelp(on) {
  help.hidden = !on;
  if (on) help.querySelector("button").focus();
}

// Geometry: every panel has the same stage, and all images fill the same box.

function imageBox() {
  const [width, height] = (state.value && state.value.size) || [1, 1];
  const [down, across] = (state.value && state.value.spacing) || [1, 1];
  return { width, height: (height * down) / across };
}

function scaleNow() {
  return fitScale(state.stage, imageBox()) * state.view.zoom;
}

function setView(view) {
  state.view = clampView(view, state.stage, imageBox());
  redraw();
}

function zoomAt(factor, x, y) {
  setView(zoomAbout(state.view, state.stage, imageBox(), factor, x, y));
}

function zoomCentre(factor) {
  zoomAt(factor, state.stage.width / 2, state.stage.height / 2);
}

// Of an enlarged image under the focus its own pixels count, not those of the input.
function oneToOne() {
  const image = panels.length && activePanel("chosen").image;
  const own = image && state.value.size ? image.width / state.value.size[0] : 1;
  setView({ ...state.view, zoom: own / fitScale(state.stage, imageBox()) });
}

function reset() {
  setView(HOME);
  usePreset(0);
  say("Zoom and window reset");
}

function visiblePanels() {
  return state.alone === null ? panels : panels.filter((panel) => panel.spec.key === state.alone);
}

function arrange() {
  const shown = visiblePanels();
  for (const panel of panels) panel.root.hidden = !shown.includes(panel);
  empty.hidden = panels.length > 0;
  const { clientWidth: width, clientHeight: height } = grid;
  if (!shown.length || !width || !height) return;
  const head = state.captions ? HEAD_HEIGHT : 0;
  const columns = chooseColumns(shown.length, width, height, GAP, head, imageBox());
  const rows = Math.ceil(shown.length / columns);
  const cell = {
    width: Math.floor((width - GAP * (columns - 1)) / columns),
    height: Math.floor((height - GAP * (rows - 1)) / rows),
  };
  grid.style.gridTemplateColumns = `repeat(${columns}, ${cell.width}px)`;
  grid.style.gridAutoRows = `${cell.height}px`;
  state.ratio = window.devicePixelRatio || 1;
  state.stage = {
    width: Math.max(1, Math.round(cell.width * state.ratio)),
    height: Math.max(1, Math.round((cell.height - head) * state.ratio)),
  };
  setView(state.view);
}

// Drawing

function render() {
  frame = 0;
  root.classList.toggle("rr-bare", !state.captions);
  root.classList.toggle("rr-pans", state.mode === "pan" || state.space);
  if (!state.value || !panels.length) return;
  const box = imageBox();
  const place = placement(state.view, state.stage, box);
  const input = panels.find((panel) => panel.spec.key === state.value.input);
  for (const panel of visiblePanels()) {
    const shown = state.held ? input : panel;
    shown.paint(shown.spec.fixed ? IDENTITY : state.table);
    panel.shown = shown.image;
    panel.place = place;
    panel.draw(shown.image, state.stage, place, state.smooth);
    panel.showNote();
    if (state.held) panel.note.hidden = true;
    putText(panel.badge, badgeText(panel, input));
    showScaleBar(panel);
    showReading(panel, place);
  }
  showTools();
}

function badgeText(panel, input) {
  if (state.held) return panel === input ? "" : "Input";
  const { image, spec } = panel;
  const [width, height] = state.value.size || [0, 0];
  const larger = image && (image.width !== width || image.height !== height);
  const size = larger ? `${image.width} \u00d7 ${image.height}` : "";
  return [spec.pending && image ? "Preview" : "", size].filter(Boolean).join("  \u00b7  ");
}

function showScaleBar(panel) {
  const { spacing } = state.value;
  const small = state.stage.width / state.ratio < 220;
  panel.scale.hidden = !spacing || !panel.shown || small;
  if (panel.scale.hidden) return;
  const perPixel = spacing[1] / (scaleNow() / state.ratio);
  const length = niceLength(Math.min(110, (0.25 * state.stage.width) / state.ratio) * perPixel);
  panel.scaleLine.style.width = `${length / perPixel}px`;
  putText(panel.scaleText, length >= 10 ? `${length / 10} cm` : `${+length.toPrecision(1)} mm`);
}

function readingText(found) {
  const { window: ends, units } = state.value;
  const digits = digitsFor(ends[1] - ends[0], units);
  const numbers = Array.from(found.levels, (level) => {
    const cut = units === "HU" ? { 0: "\u2264 ", [U16_MAX]: "\u2265 " }[level] || "" : "";
    return cut + formatNumber(toSource(level), digits);
  });
  const where = `${found.column}, ${found.row}`;
  if (numbers.length === 1) return `${numbers[0]} ${units}\u2002(${where})`;
  return `R ${numbers[0]}  G ${numbers[1]}  B ${numbers[2]}\u2002(${where})`;
}

function showReading(panel, place) {
  const at = state.pointer;
  const u = at && (at.x - place.x) / place.width;
  const v = at && (at.y - place.y) / place.height;
  const found = at && panel.sample(panel.shown, u, v);
  const plain = panel.spec.fixed && !state.held;
  panel.reading = found && !plain ? readingText(found) : "";
  putText(panel.read, panel.reading);
  panel.cross.hidden = !found || at.panel === panel;
  if (!panel.cross.hidden) {
    const left = at.x / state.ratio;
    panel.cross.style.transform = `translate(${left}px, ${at.y / state.ratio}px)`;
  }
}

function showTools() {
  for (const [name, on] of [
    ["window", state.mode === "window"],
    ["pan", state.mode === "pan"],
    ["smooth", state.smooth],
    ["hold", state.held],
    ["alone", state.alone !== null],
  ]) {
    tool[name].setAttribute("aria-pressed", String(on));
  }
  tool.hold.disabled = !panels.some((panel) => panel.spec.key === state.value.input && panel.image);
  tool.alone.disabled = panels.length < 2;
  putText(tool.zoom, `${Math.round(scaleNow() * 100)} %`);
  putText(tool.units, state.value.units);
  tool.presets.value = String(state.preset);
  showWindow(false);
}

function showWindow(also) {
  if (!state.value) return;
  const { center, width } = sourceWindow();
  const digits = digitsFor(10 * width, width < 20 ? "" : state.value.units);
  for (const [input, number] of [[levelField, center], [widthField, width]]) {
    if (also || document.activeElement !== input) input.value = formatNumber(number, digits);
  }
}

// Payload

function listPresets(presets) {
  const names = ["Custom", ...presets.map((preset) => preset.label)];
  const old = Array.from(tool.presets.options, (option) => option.textContent);
  if (names.join("\n") === old.join("\n")) return;
  const options = names.map((name, i) => make("option", { value: String(i - 1) }, name));
  options[0].disabled = true;
  tool.presets.replaceChildren(...options);
}

function receive(value) {
  const next = value && value.panels ? value : null;
  const other = !next || !state.value || next.image_id !== state.value.image_id;
  const known = new Map(panels.map((panel) => [panel.spec.key, panel]));
  state.value = next;
  const specs = next ? next.panels : [];
  // Under a new image no panel may keep pixels of the last one.
  panels = specs.map((spec) => (!other && known.get(spec.key)) || new PanelView(redraw));
  specs.forEach((spec, i) => panels[i].update(spec, next.base));
  const nodes = panels.map((panel) => panel.root);
  if (nodes.length !== grid.children.length || nodes.some((node, i) => node !== grid.children[i])) {
    grid.replaceChildren(...nodes);
  }
  if (!specs.some((spec) => spec.key === state.alone)) state.alone = null;
  root.classList.toggle("rr-idle", !next);
  if (next) {
    listPresets(next.presets);
    if (other) {
      state.view = { ...HOME };
      setLevels(...next.presets[0].levels, 0);
    }
    const same = ({ levels }) => levels.every((level, i) => level === state.levels[i]);
    state.preset = next.presets.findIndex(same);
  }
  arrange();
}
