// Keys while reading; ignored in text fields and while a dialog is open.

const FIELDS = "input, textarea, select, [contenteditable]";
const STEP = 0.05;
const NUDGE = 40;
const PAGES = { PageUp: -1, PageDown: 1 };
// Slices with Shift.
const LEAP = 5;

function shiftArrow(light, key) {
  const ways = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const [dx, dy] = ways[key];
  light.pan(dx * NUDGE, dy * NUDGE);
}

function actionsOf(desk) {
  const { reading } = desk;
  const { light, sheet } = reading;
  return {
    ArrowLeft: () => sheet.prefer(-1),
    ArrowDown: () => sheet.prefer(0),
    ArrowRight: () => sheet.prefer(1),
    ArrowUp: () => sheet.back(),
    x: () => sheet.cannotJudge(),
    c: () => reading.comment.focus(),
    v: () => light.nextPreset(),
    r: () => light.reset(),
    s: () => desk.toggleSmooth(),
    p: () => pauseDialog(desk),
    "+": () => light.zoom(1.25),
    "=": () => light.zoom(1.25),
    "-": () => light.zoom(1 / 1.25),
    // Brackets need AltGr on many layouts, or are missing: L and W do the same on every one.
    l: ({ shiftKey }) => light.shape(shiftKey ? -STEP : STEP, 1),
    w: ({ shiftKey }) => light.shape(0, shiftKey ? 1 / 1.1 : 1.1),
    "[": () => light.shape(-STEP, 1),
    "]": () => light.shape(STEP, 1),
    ",": () => light.shape(0, 1 / 1.1),
    ".": () => light.shape(0, 1.1),
    Home: () => light.goTo(0),
    End: () => light.goTo(Infinity),
    "?": () => desk.showKeys(),
    Backspace: () => reading.correct(),
    Escape: () => reading.stopCorrecting(),
  };
}

// On some layouts the digits of the upper row need Shift: there the place of the key counts.
function digitOf(event, name) {
  if (/^[0-9]$/.test(name)) return Number(name);
  const plain = !event.shiftKey && !event.getModifierState("AltGraph");
  const row = plain && /^Digit([0-9])$/.exec(event.code);
  return row ? Number(row[1]) : null;
}

const ONCE = new Set(["x", "c", "v", "r", "s", "p", "?", "Backspace", "Escape", "ArrowUp"]);

function keyDown(desk, table, event) {
  const { reading } = desk;
  const focus = document.activeElement;
  if (!reading.pair || root.querySelector("dialog")) return;
  if (withCommandKey(event)) return;
  if (focus && focus.matches(FIELDS)) {
    if (reading.root.contains(focus) && ["Escape", "Enter"].includes(event.key)) {
      event.preventDefault();
      focus.blur();
    }
    return;
  }
  // Buttons of the bar keep their own keys.
  const pressed = focus && focus.matches("button") && !reading.sheet.cells.some((cell) =>
    cell.node.contains(focus));
  if (pressed && ["Enter", " "].includes(event.key)) return;
  const name = keyName(event);
  // Also where they would move the handle of a line, which has other keys.
  if (reading.light.stacked && PAGES[name]) {
    event.preventDefault();
    reading.light.scroll(PAGES[name] * (event.shiftKey ? LEAP : 1));
    return;
  }
  if (reading.sheet.key(name, event)) {
    event.preventDefault();
    return;
  }
  const digit = digitOf(event, name);
  const shifted = event.shiftKey && name.startsWith("Arrow");
  if (![" ", "Enter"].includes(name) && digit === null && !table[name]) return;
  event.preventDefault();
  if (name === " ") {
    if (!event.repeat) reading.light.swap(true);
  } else if (name === "Enter") {
    if (!event.repeat) reading.submit();
  } else if (shifted) {
    shiftArrow(reading.light, name);
  } else if (digit !== null && (event.repeat || reading.sheet.digit(digit))) {
    return;
  } else if (table[name] && !(event.repeat && ONCE.has(name))) {
    table[name](event);
  }
}

function listenToKeys(desk) {
  const table = actionsOf(desk);
  desk.forLife(document, "keydown", (event) => {
    if (root.isConnected) keyDown(desk, table, event);
    else life.abort();
  });
  desk.forLife(document, "keyup", (event) => {
    if (event.key !== " ") return;
    desk.reading.light.swap(false);
    // Releasing Space would press the answer that has the focus.
    if (event.target.closest && event.target.closest(".dk-cell")) event.preventDefault();
  });
  desk.forLife(window, "blur", () => desk.reading.light.swap(false));
}
