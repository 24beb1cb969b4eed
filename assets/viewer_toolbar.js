// The elements of the viewer: toolbar, grid and list of keys. Runs once, when the component mounts.

const KEYS = [
  ["Drag", "change the window: right is wider, down is darker"],
  ["Shift drag", "pan; so does the middle button, or Space and drag"],
  ["Wheel, +, \u2212", "zoom"],
  ["Arrow keys", "pan"],
  ["[  ]", "window centre down, up"],
  [",  .", "window width narrower, wider"],
  ["1 to 9", "window presets"],
  ["0, double click", "reset zoom and window"],
  ["W  P", "left drag changes the window; pans"],
  ["I (hold)", "show the input in every panel"],
  ["F", "maximise one panel, and back"],
  ["Tab", "next panel"],
  ["S", "smooth enlarged pixels"],
  ["E", "full screen, and back"],
  ["\u2190 \u2192 on the divider", "move it; Shift moves it further, Home and End to the sides"],
  ["L", "labels on and off"],
  ["?  Esc", "this list"],
];
const root = element.querySelector(".rr");

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
  window: button("Window", "Left drag changes the window (W)", () => setMode("window")),
  pan: button("Pan", "Left drag pans (P)", () => setMode("pan")),
  presets: make("select", { "aria-label": "Window preset", title: "Window preset (1 to 9)" }),
  units: make("span", { class: "rr-dim rr-units" }),
  out: button("\u2212", "Zoom out (\u2212)", () => zoomCentre(1 / 1.25)),
  zoom: make("span", { class: "rr-zoom", title: "Screen pixels per pixel of the input" }),
  in: button("+", "Zoom in (+)", () => zoomCentre(1.25)),
  fit: button("Fit", "Fit the entire image", () => setView(HOME)),
  one: button("1:1", "One screen pixel per image pixel", () => oneToOne()),
  smooth: button("Smooth", "Smooth enlarged pixels (S)", () => toggle("smooth")),
  hold: button("Show input", "Hold to show the input in every panel (I)", () => {}),
  alone: button("Maximise", "Maximise one panel (F)", () => maximise("chosen")),
  full: button("Full screen", "Full screen, and back (E)", () => fullScreen()),
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
  group(tool.hold, tool.alone, tool.full, tool.help),
);
const divider = make("div", {
  class: "rr-split", role: "slider", tabindex: "0", "aria-label": "Divider between the images",
  "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal",
});
const colours = colourBar();
putColours(colours, DIVERGING);
putText(colours.words, "blue darker, black equal, orange brighter");
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
