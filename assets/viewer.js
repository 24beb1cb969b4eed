// State, geometry, drawing and payload of the viewer. Runs once, when the component mounts.

const HEAD_HEIGHT = 26;
const GAP = 2;
const SHARED = "reading-room-window";
const life = new AbortController();
const state = {
  value: null,
  view: { ...HOME },
  ends: [0, 1],
  levels: [0, U16_MAX],
  looks: new Map(),
  preset: 0,
  split: 0.5,
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
  const [low, high] = state.ends;
  return { low, high, center: (low + high) / 2, width: Math.abs(high - low) };
}

let reportTimer = 0;
function reportWindow() {
  clearTimeout(reportTimer);
  const { units, group } = state.value;
  if (state.value.layout === "difference") return;
  if (group) {
    shared().set(group, [...state.ends]);
    document.dispatchEvent(new CustomEvent(SHARED, { detail: { group, root } }));
  }
  reportTimer = setTimeout(() => trigger("window_change", { ...sourceWindow(), units }), 250);
}

// The display windows by group, for viewers that share theirs.
function shared() {
  window.readingRoomWindows = window.readingRoomWindows || new Map();
  return window.readingRoomWindows;
}

function setLevels(low, high, preset = -1, ends = null) {
  const first = Math.round(Math.min(Math.max(low, -4 * U16_MAX), 5 * U16_MAX));
  const last = Math.max(first + 1, Math.round(Math.min(Math.max(high, -4 * U16_MAX), 5 * U16_MAX)));
  // The colours of a difference stay even: 0 is in the middle.
  const half = Math.max(4, Math.round((last - first) / 2));
  const middle = Math.round(U16_MAX / 2);
  state.levels = differs() ? [middle - half, middle + half] : [first, last];
  state.ends = (!differs() && ends) || state.levels.map(toSource);
  state.preset = preset;
  state.looks = new Map();
  redraw();
}

const differs = () => Boolean(state.value) && state.value.layout === "difference";
const slides = () => Boolean(state.value) && state.value.layout === "slider" && panels.length === 2;

// How a panel shows its levels: the display window in its own levels, and which of its ends are cut.
// A map has colours of its own, from one end of its window to the other.
function lookOf({ window: own, units, scale }) {
  const ends = own || state.value.window;
  const name = scale ? scale.colours : `${ends} ${units}`;
  if (scale && !state.looks.has(name)) {
    const table = colourTable(COLOURS[scale.colours], 0, U16_MAX);
    state.looks.set(name, { table, beyond: false, cut: [false, false] });
  }
  if (!state.looks.has(name)) {
    const [low, high] = differs() ? state.levels : levelsOf(state.ends, ends);
    const table = differs() ? colourTable(DIVERGING, low, high) : windowTable(low, high);
    const beyond = Boolean(own) && [low < 0, high > U16_MAX];
    state.looks.set(name, { table, beyond, cut: beyond && !units ? beyond : [false, false] });
  }
  return state.looks.get(name);
}

function useSource(low, high, preset = -1) {
  setLevels(...levelsOf([low, high], state.value.window), preset, [low, high]);
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
  useSource(...preset.ends, index);
  reportWindow();
  say(`${preset.label} window`);
}

// The typed value is used exactly; the other field shows a rounded value.
function typedWindow(input) {
  const typed = parseNumber(input.value);
  if (state.value && typed !== null && (input === levelField || typed > 0)) {
    const now = sourceWindow();
    const center = input === levelField ? typed : now.center;
    const width = input === widthField ? typed * (differs() ? 2 : 1) : now.width;
    // Low values are white where the file says so.
    const half = (toSource(1) < toSource(0) ? -width : width) / 2;
    useSource(center - half, center + half);
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

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen();
}

function setSplit(fraction) {
  state.split = Math.min(Math.max(fraction, 0), 1);
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
  const [down, across] = (state.value && state.value.aspect) || [1, 1];
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
  usePreset(state.value.first);
  say("Zoom and window reset");
}

function visiblePanels() {
  if (slides()) return panels.slice(0, 1);
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

// Payload

function listPresets(presets) {
  const names = ["Custom", ...presets.map((preset) => preset.label)];
  const old = Array.from(tool.presets.options, (option) => option.textContent);
  if (names.join("\n") === old.join("\n")) return;
  const options = names.map((name, i) => make("option", { value: String(i - 1) }, name));
  options[0].disabled = true;
  tool.presets.replaceChildren(...options);
}

const specsWithPixels = () => panels.map((panel) => panel.spec).filter((spec) => spec.token);

// What the slider and the difference have besides the panels, and what they have no use for.
function arrangeTools() {
  const [first, second] = panels;
  if (slides()) {
    putText(first.caption, second.spec.label);
    first.root.setAttribute("aria-label", `${first.spec.label} | ${second.spec.label}`);
    first.stage.append(divider);
  } else divider.remove();
  if (differs() && first) first.stage.append(colours.bar);
  else colours.bar.remove();
  const of = state.value ? state.value.layout : "grid";
  // Colours that belong to a map are not for a window to change.
  const windowed = specsWithPixels().some((spec) => !spec.scale) || !specsWithPixels().length;
  for (const node of [tool.window, tool.presets, tool.units, widthName, widthField]) {
    node.hidden = !windowed;
  }
  levelName.hidden = levelField.hidden = of === "difference" || !windowed;
  putText(widthName, of === "difference" ? "\u00b1" : "W");
  const width = of === "difference" ? "Difference at full colour" : "Window width";
  widthField.title = width;
  widthField.setAttribute("aria-label", width);
  tool.hold.hidden = !state.value || !state.value.input;
  tool.alone.hidden = of !== "grid";
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
  state.looks = new Map();
  root.classList.toggle("rr-idle", !next);
  arrangeTools();
  if (next) {
    listPresets(next.presets);
    if (other) {
      state.view = { ...HOME };
      // The grid begins anew with an image; another viewer takes over what the grid shows.
      if (next.layout === "grid") shared().delete(next.group);
      const now = shared().get(next.group);
      if (now && !differs()) useSource(...now);
      else useSource(...next.presets[next.first].ends, next.first);
    }
    const same = ({ ends }) =>
      levelsOf(ends, next.window).every((level, i) => Math.abs(level - state.levels[i]) <= 1);
    state.preset = next.presets.findIndex(same);
  }
  arrange();
}
