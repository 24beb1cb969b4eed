// Drawing of the viewer: panels, divider, colour bar, read-out and the state of the toolbar.

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
    shown.paint(lookOf(shown.spec));
    panel.shown = shown;
    panel.place = place;
    panel.draw(shown.image, state.stage, place, state.smooth);
    if (slides() && !state.held) drawRight(panel, panels[1], place);
    panel.showNote();
    if (state.held) panel.note.hidden = true;
    putText(panel.badge, badgeText(panel, input));
    showScaleBar(panel);
    showEdges(panel);
    showReading(panel, place);
  }
  if (slides()) showSplit();
  if (differs()) showColours();
  showTools();
}

function drawRight(panel, right, place) {
  right.paint(lookOf(right.spec));
  right.shown = right;
  right.place = place;
  panel.draw(right.image, state.stage, place, state.smooth, Math.round(state.split * state.stage.width));
  panel.failure = panel.failure || right.failure;
}

function showSplit() {
  const percent = Math.round(state.split * 100);
  const [left, right] = panels.map((panel) => panel.spec.label);
  divider.hidden = state.held;
  divider.style.left = `${state.split * 100}%`;
  divider.setAttribute("aria-valuenow", String(percent));
  divider.setAttribute("aria-valuetext", `${left} on ${percent} %, ${right} on the rest`);
}

function showColours() {
  const half = sourceWindow().width / 2;
  const digits = digitsFor(half, half < 10 ? "" : state.value.units);
  putText(colours.least, `\u2212${formatNumber(half, digits)}`);
  putText(colours.most, `+${formatNumber(half, digits)} ${state.value.units}`);
}

function badgeText(panel, input) {
  if (state.held) return panel === input ? "" : "Input";
  const { image, spec } = panel;
  const [width, height] = state.value.size || [0, 0];
  const larger = image && (image.width !== width || image.height !== height);
  const size = larger ? `${image.width} \u00d7 ${image.height}` : "";
  const beyond = image && [panel, ...(slides() ? [panels[1]] : [])].find(isCut);
  const parts = [spec.pending && image ? "Preview" : "", size, beyond ? cutText(beyond.spec) : ""];
  return parts.filter(Boolean).join("  \u00b7  ");
}

function isCut(panel) {
  const [low, high] = lookOf(panel.spec).beyond || [false, false];
  return low || high;
}

function cutText({ window: ends }) {
  const digits = digitsFor(Math.abs(ends[1] - ends[0]), state.value.units);
  const [low, high] = ends.map((end) => formatNumber(end, digits));
  return `Processed from ${low} to ${high} ${state.value.units}`;
}

function showScaleBar(panel) {
  const { spacing } = state.value;
  const small = state.stage.width / state.ratio < 220;
  panel.scale.hidden = !spacing || !panel.shown.image || small;
  if (panel.scale.hidden) return;
  const perPixel = spacing[1] / (scaleNow() / state.ratio);
  const length = niceLength(Math.min(110, (0.25 * state.stage.width) / state.ratio) * perPixel);
  panel.scaleLine.style.width = `${length / perPixel}px`;
  putText(panel.scaleText, length >= 10 ? `${length / 10} cm` : `${+length.toPrecision(1)} mm`);
}

// The directions in the patient; they are not in the way of a small image.
function showEdges(panel) {
  const letters = state.value.edges || [];
  const small = Math.min(state.stage.width, state.stage.height) / state.ratio < 140;
  panel.edges.forEach((edge, side) => {
    edge.hidden = small || !panel.shown.image;
    putText(edge, letters[side] || "");
  });
}

function readingText(found, spec) {
  const units = spec.units || state.value.units;
  const own = spec.scale || !spec.units;
  const ends = own ? spec.window || state.value.window : [0, 1];
  const digits = digitsFor(Math.abs(ends[1] - ends[0]), units);
  const numbers = Array.from(found.levels, (level) => {
    const value = ends[0] + (level / U16_MAX) * (ends[1] - ends[0]);
    const text = formatNumber(value, digits);
    const signed = differs() || (spec.scale && spec.scale.colours === "signed");
    if (signed) return Number(text.replace("\u2212", "-")) > 0 ? `+${text}` : text;
    const marks = ends[0] < ends[1] ? ["\u2264 ", "\u2265 "] : ["\u2265 ", "\u2264 "];
    const end = units === "HU" && !spec.scale ? [0, U16_MAX].indexOf(level) : -1;
    const cut = end < 0 ? "" : marks[end];
    return cut + text;
  });
  const where = `${found.column}, ${found.row}`;
  if (numbers.length === 1) return `${numbers[0]} ${units}\u2002(${where})`;
  return `R ${numbers[0]}  G ${numbers[1]}  B ${numbers[2]}\u2002(${where})`;
}

function showReading(panel, place) {
  const at = state.pointer;
  const u = at && (at.x - place.x) / place.width;
  const v = at && (at.y - place.y) / place.height;
  const right = at && slides() && !state.held && at.x >= state.split * state.stage.width;
  const shown = right ? panels[1] : panel.shown;
  const found = at && panel.sample(shown.image, u, v);
  panel.reading = found ? readingText(found, shown.spec) : "";
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
  tool.full.setAttribute("aria-pressed", String(document.fullscreenElement === root));
  putText(tool.zoom, `${Math.round(scaleNow() * 100)} %`);
  putText(tool.units, state.value.units);
  tool.presets.value = String(state.preset);
  showWindow(false);
}

function showWindow(focusedToo) {
  if (!state.value) return;
  const { center, width } = sourceWindow();
  const digits = digitsFor(10 * width, width < 20 ? "" : state.value.units);
  const across = differs() ? width / 2 : width;
  for (const [input, number] of [[levelField, center], [widthField, across]]) {
    if (focusedToo || document.activeElement !== input) input.value = formatNumber(number, digits);
  }
}
