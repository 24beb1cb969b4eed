// Arithmetic of the viewer: windowing, geometry, numbers; no access to the page.

const U16_MAX = 65535;

// The same integers as enhancers.display.window_u8: 65,536 levels to 8 bits, rounded half up.
function windowTable(low, high) {
  const range = high - low;
  const table = new Uint8Array(U16_MAX + 1);
  for (let v = 0; v <= U16_MAX; v += 1) {
    const gray = Math.floor(((v - low) * 510 + range) / (2 * range));
    table[v] = gray < 0 ? 0 : gray > 255 ? 255 : gray;
  }
  return table;
}

// Light blue, blue, black, red-orange, light orange: the colours of -1, -1/2, 0, 1/2 and 1. They can
// be told apart with every common colour deficiency, and get lighter with the absolute difference.
const DIVERGING = [[168, 219, 255], [31, 115, 235], [0, 0, 0], [214, 69, 26], [255, 204, 148]];

// Black, violet, red, orange, light yellow: lighter is more.
const RISING = [[0, 0, 0], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

const COLOURS = { signed: DIVERGING, rising: RISING, falling: [...RISING].reverse() };

// Packed pixels for every level; low and high are the ends of the colours.
function colourTable(shades, low, high) {
  const table = new Uint32Array(U16_MAX + 1);
  for (let v = 0; v <= U16_MAX; v += 1) {
    const at = Math.min(Math.max(((v - low) / (high - low)) * 4, 0), 4);
    const place = Math.min(Math.floor(at), 3);
    const [from, to] = [shades[place], shades[place + 1]];
    const [r, g, b] = from.map((one, i) => Math.round(one + (to[i] - one) * (at - place)));
    table[v] = (0xff << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}

// Source values as levels of a window, as enhancers.display.window_levels.
function levelsOf(ends, [from, to]) {
  const [low, high] = ends.map((end) => Math.round((end - from) * (U16_MAX / (to - from))));
  return [low, Math.max(low + 1, high)];
}

// Where a result ends with the window it was processed in, and the screen shows more: a pattern.
function hatch(values, width, cut, words) {
  for (let i = 0; i < words.length; i += 1) {
    if ((cut[0] && values[i] === 0) || (cut[1] && values[i] === U16_MAX)) {
      const line = ((i % width) + Math.floor(i / width)) % 8 < 2;
      words[i] = line ? 0xff5a5a5a : 0xff262626;
    }
  }
}

function paintPixels(values, channels, table, out) {
  const words = new Uint32Array(out.buffer);
  if (table instanceof Uint32Array) {
    for (let i = 0; i < words.length; i += 1) words[i] = table[values[i]];
    return;
  }
  if (channels === 1) {
    for (let i = 0; i < words.length; i += 1) {
      words[i] = 0xff000000 | (table[values[i]] * 0x010101);
    }
    return;
  }
  for (let i = 0, j = 0; i < words.length; i += 1, j += 3) {
    const blue = table[values[j + 2]];
    words[i] = 0xff000000 | (blue << 16) | (table[values[j + 1]] << 8) | table[values[j]];
  }
}

// The view is shared by all panels. zoom is relative to the scale that fits the image into a panel;
// (cx, cy) is the point in the middle, as a fraction of the image. So images of different size show
// the same anatomy at the same place.
const HOME = { zoom: 1, cx: 0.5, cy: 0.5 };
const MAX_SCALE = 64;

function fitScale(stage, box) {
  return Math.min(stage.width / box.width, stage.height / box.height);
}

function clampView(view, stage, box) {
  const fit = fitScale(stage, box);
  const zoom = Math.min(Math.max(view.zoom, Math.min(0.5, 1 / fit)), Math.max(MAX_SCALE / fit, 1));
  const inside = (c) => (zoom <= 1 ? 0.5 : Math.min(Math.max(c, 0), 1));
  return { zoom, cx: inside(view.cx), cy: inside(view.cy) };
}

// The point (x, y), in device pixels from the panel's corner, stays fixed.
function zoomAbout(view, stage, box, factor, x, y) {
  const fit = fitScale(stage, box);
  const zoom = clampView({ ...view, zoom: view.zoom * factor }, stage, box).zoom;
  const shift = (1 / view.zoom - 1 / zoom) / fit;
  const cx = view.cx + ((x - stage.width / 2) * shift) / box.width;
  const cy = view.cy + ((y - stage.height / 2) * shift) / box.height;
  return clampView({ zoom, cx, cy }, stage, box);
}

function panBy(view, stage, box, dx, dy) {
  const scale = fitScale(stage, box) * view.zoom;
  const cx = view.cx - dx / (box.width * scale);
  const cy = view.cy - dy / (box.height * scale);
  return clampView({ zoom: view.zoom, cx, cy }, stage, box);
}

// Position and size of the image in the panel, in device pixels; integers at integer scales, so
// that 100 % shows every pixel exactly.
function placement(view, stage, box) {
  const scale = fitScale(stage, box) * view.zoom;
  const snap = (length) => {
    const rounded = Math.round(length);
    return Math.abs(length - rounded) < 1e-6 * rounded ? rounded : length;
  };
  const width = snap(box.width * scale);
  const height = snap(box.height * scale);
  return {
    x: Math.round(stage.width / 2 - view.cx * width),
    y: Math.round(stage.height / 2 - view.cy * height),
    width,
    height,
  };
}

// The number of columns that shows the images largest; among similar ones, the fewest empty cells.
function chooseColumns(count, width, height, gap, head, box) {
  let best = { columns: 1, scale: -1, empty: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (width - gap * (columns - 1)) / columns,
      height: (height - gap * (rows - 1)) / rows - head,
    };
    const scale = cell.width > 0 && cell.height > 0 ? fitScale(cell, box) : 0;
    const empty = columns * rows - count;
    if (scale > best.scale * 1.001 || (scale > best.scale * 0.92 && empty < best.empty)) {
      best = { columns, scale, empty };
    }
  }
  return best.columns;
}

// The longest of 1, 2, 5 times a power of ten that is at most `limit`.
function niceLength(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  const lead = limit / power;
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power;
}

function digitsFor(span, units) {
  if (units === "HU" || span >= 1000) return 0;
  if (span >= 100) return 1;
  return span >= 5 ? 2 : 3;
}

function formatNumber(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "\u2212");
}

function parseNumber(text) {
  const value = Number(text.trim().replace("\u2212", "-").replace(",", "."));
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}
