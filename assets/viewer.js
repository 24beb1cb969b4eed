// State, geometry, drawing and payload of the viewer. Runs once, when the component mounts.

const HEAD_HEIGHT = 26;
const GAP = 2;
const IDENTITY = windowTable(0, U16_MAX);
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

let reportTimer = 0;
function reportWindow() {
  clearTimeout(reportTimer);
  const units = state.value.units;
  reportTimer = setTimeout(() => trigger("window_change", { ...sourceWindow(), units }), 250);
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
  reportWindow();
}

function usePreset(index) {
  const preset = state.value && state.value.presets[index];
  if (!preset) return;
  setLevels(...preset.levels, index);
  reportWindow();
  say(`${preset.label} window`);
}

// The typed value is used exactly; the other field shows a rounded value.
function typedWindow(input) {
  const typed = parseNumber(input.value);
  if (state.value && typed !== null && (input === levelField || typed > 0)) {
    const now = sourceWindow();
    const center = input === levelField ? typed : now.center;
    const width = input === widthField ? typed : now.width;
    const [low, high] = state.value.window;
    const scale = U16_MAX / (high - low);
    setLevels((center - width / 2 - low) * scale, (center + width / 2 - low) * scale);
    reportWindow();
  }
  showWindow(true);
}

function setMode(mode) {
  state.mode = mode;
  say(mode === "pan" ? "Left drag pans" : "Left drag changes the window");
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

// A key acts on the panel that was last pointed at or focused; a button only on the focused one,
// because the pointer crosses other panels on its way to the button.
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

// Geometry: all panels have the same stage size, and all images fill the same box.

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

// For a focused enlarged image, its own pixels count, not those of the input.
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

function showWindow(focusedToo) {
  if (!state.value) return;
  const { center, width } = sourceWindow();
  const digits = digitsFor(10 * width, width < 20 ? "" : state.value.units);
  for (const [input, number] of [[levelField, center], [widthField, width]]) {
    if (focusedToo || document.activeElement !== input) input.value = formatNumber(number, digits);
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
