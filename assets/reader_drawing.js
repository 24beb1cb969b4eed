// Questions that are answered by drawing on an image: point, length, angle, region.
//
// Coordinates are in pixels of the image from its upper left corner, as study.domain.drawings has
// them. Drawing leaves zoom, position and window of the images as they are. A drawing on a stack is
// on the slice of its first point, and shown there.

const SVG = "http://www.w3.org/2000/svg";
const NEAR = 11;
const POINTS = { point: 1, length: 2, angle: 4 };

function svgNode(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function tilt([ax, ay], [bx, by]) {
  return (Math.atan2(by - ay, bx - ax) * 180) / Math.PI;
}

// What study.domain.drawings measures, with the distance of rows and columns in mm, or 1.
function measureOf(kind, shape, points, [down, across]) {
  const at = points.map(([x, y]) => [x * across, y * down]);
  if (kind === "length") return Math.hypot(at[1][0] - at[0][0], at[1][1] - at[0][1]);
  if (kind === "angle") {
    const between = Math.abs(tilt(at[0], at[1]) - tilt(at[2], at[3])) % 180;
    return Math.min(between, 180 - between);
  }
  if (shape === "ellipse") {
    return (Math.PI / 4) * Math.abs(at[1][0] - at[0][0]) * Math.abs(at[1][1] - at[0][1]);
  }
  const crossed = at.map(([x, y], i) => {
    const [u, v] = at[(i + 1) % at.length];
    return x * v - u * y;
  });
  return Math.abs(crossed.reduce((sum, one) => sum + one, 0)) / 2;
}

class DrawnCell extends Cell {
  draw() {
    const { kind, shape } = this.question;
    this.open = kind === "region" && shape === "polygon";
    this.needed = this.open ? Infinity : kind === "region" ? 2 : POINTS[kind];
    this.clear();
    this.state = make("span", { class: "dk-drawn", "aria-live": "polite" });
    const button = (name, action) => {
      const node = make("button", { type: "button", class: "dk-tool" }, text(`draw.${name}`));
      node.title = text(`draw.${name}.help`);
      node.addEventListener("click", () => {
        this.sheet.mark(this);
        action();
      });
      return node;
    };
    this.closing = button("close", () => this.close());
    this.undoing = button("undo", () => this.undo());
    this.clearing = button("clear", () => this.restart());
    this.node.addEventListener("pointerdown", () => this.showSlice());
    this.node.append(this.state, this.closing, this.undoing, this.clearing);
  }

  get light() {
    return this.sheet.light;
  }

  get complete() {
    return this.open ? this.closed : this.points.length === this.needed;
  }

  clear() {
    this.points = [];
    this.closed = false;
    this.past = [];
    this.active = 0;
    this.cursor = null;
    this.slice = 0;
  }

  restore(value, slice) {
    super.restore(value);
    this.clear();
    if (!Array.isArray(value)) return;
    this.points = value.map(([x, y]) => [x, y]);
    this.closed = this.open;
    this.slice = slice ? slice - 1 : 0;
  }

  get sliceNumber() {
    return Array.isArray(this.value) && this.light.stacked ? this.slice + 1 : undefined;
  }

  // Whether what is drawn, if anything, is on the slice that is shown.
  get isHere() {
    return !this.points.length || this.slice === this.light.slice;
  }

  showSlice() {
    if (!this.isHere) this.light.goTo(this.slice);
  }

  remember() {
    const { closed, slice } = this;
    this.past.push({ points: this.points.map((point) => [...point]), closed, slice });
  }

  // `stays`: the reader goes on with this drawing.
  commit(stays = false) {
    const value = this.complete ? this.points.map((point) => [...point]) : undefined;
    this.sheet.answer(this, value, stays || value === undefined);
    this.light.redraw();
  }

  place(point) {
    this.remember();
    if (!this.points.length) this.slice = this.light.slice;
    this.points.push(point);
    this.active = Math.min(this.points.length, this.needed - 1);
  }

  close() {
    if (!this.open || this.closed || this.points.length < 3) return;
    this.remember();
    this.closed = true;
    this.commit();
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    Object.assign(this, before);
    this.active = Math.min(this.active, this.points.length);
    this.commit(true);
  }

  restart() {
    if (!this.points.length && this.value === undefined) return;
    this.remember();
    this.points = [];
    this.closed = false;
    this.active = 0;
    this.commit(true);
  }

  // Where the next point comes by keyboard: the middle of what is seen, until it is moved.
  aim() {
    if (!this.cursor) this.cursor = this.light.middle();
    return this.cursor;
  }

  key(name, event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (name in ways && !event.shiftKey && this.light.shown) {
      const step = event.repeat ? 4 : 1;
      this.shift(ways[name].map((way) => way * step), event.repeat);
      return true;
    }
    const actions = {
      d: () => this.placeAtCursor(),
      e: () => this.close(),
      n: () => this.next(),
      u: () => this.undo(),
      Delete: () => this.restart(),
    };
    if (!(name in actions)) return false;
    actions[name]();
    return true;
  }

  shift([dx, dy], again) {
    this.showSlice();
    const placed = this.active < this.points.length;
    if (placed && !again) this.remember();
    const [x, y] = placed ? this.points[this.active] : this.aim();
    const moved = this.light.inside([x + dx, y + dy]);
    if (!placed) {
      this.cursor = moved;
      this.light.redraw();
      return;
    }
    this.points[this.active] = moved;
    this.commit(true);
  }

  placeAtCursor() {
    if (this.complete || !this.light.shown) return;
    this.showSlice();
    const point = [...this.aim()];
    const last = this.points[this.points.length - 1];
    if (last && last[0] === point[0] && last[1] === point[1]) return;
    this.place(point);
    if (this.complete) this.cursor = null;
    this.active = this.points.length;
    this.commit();
  }

  next() {
    if (!this.points.length) return;
    this.showSlice();
    const count = this.points.length + (this.complete ? 0 : 1);
    this.active = (this.active + 1) % count;
    this.light.redraw();
  }

  show() {
    super.show();
    const { kind, show_value: shown } = this.question;
    const many = Number.isFinite(this.needed);
    const number = this.points.length;
    let words = text(many ? "draw.state" : "draw.corners", { number, needed: this.needed });
    if (this.value === null) words = text("answer.cannot_judge");
    else if (this.complete) words = text("draw.done");
    const measures = kind !== "point" && shown && this.complete && this.light.plate;
    if (measures) words = `${words}: ${this.measured()}`;
    if (number && this.light.stacked) words = text("draw.slice", { state: words, n: this.slice + 1 });
    putText(this.state, words);
    this.closing.hidden = !this.open;
    this.closing.disabled = this.closed || number < 3;
    this.undoing.disabled = !this.past.length;
    this.clearing.disabled = !number;
    if (this.light) this.light.redraw();
  }

  measured() {
    const { kind, shape } = this.question;
    const { spacing } = this.light.plate;
    const found = measureOf(kind, shape, this.points, spacing || [1, 1]);
    const unit = spacing ? "mm" : "px";
    if (kind === "angle") return `${found.toFixed(1)}\u00b0`;
    return `${found.toFixed(1)} ${kind === "length" ? unit : `${unit}\u00b2`}`;
  }

  // The lines of the drawing in image coordinates, each as a list of points.
  lines() {
    const { points, closed } = this;
    if (this.question.kind === "region" && !this.open) return [];
    if (this.open) return [closed ? [...points, points[0]] : points];
    return [points.slice(0, 2), points.slice(2, 4)].filter((line) => line.length === 2);
  }
}

Object.assign(WIDGETS, { point: DrawnCell, length: DrawnCell, angle: DrawnCell, region: DrawnCell });

// The drawings on the images, and the pointer that makes them.
class Marks {
  constructor(light, sheet) {
    this.light = light;
    this.sheet = sheet;
    this.drag = null;
    this.layers = new Map();
  }

  // Panels are made when a pair or a ranking needs them.
  layerOf(panel) {
    if (!this.layers.has(panel)) {
      this.layers.set(panel, svgNode("svg", { class: "dk-marks", "aria-hidden": "true" }));
      panel.stage.append(this.layers.get(panel));
    }
    return this.layers.get(panel);
  }

  cells(slot) {
    return this.sheet.cells.filter((cell) =>
      cell instanceof DrawnCell && cell.slot === slot && cell.isHere);
  }

  // Whether a press on an image draws; if not, it belongs to the window.
  down(event, { panel, x, y }) {
    const slot = this.light.panels.indexOf(panel);
    if (event.button || event.shiftKey || this.sheet.locked || this.light.shift) return false;
    const at = this.light.toImage(x, y);
    const held = this.handleAt(slot, x, y);
    const { marked } = this.sheet;
    if (held && held.cell.open && !held.cell.closed && held.index === 0 && held.cell.points.length > 2) {
      held.cell.close();
      return true;
    }
    if (held) {
      this.sheet.mark(held.cell);
      held.cell.remember();
      held.cell.active = held.index;
      this.drag = { ...held, x, y, moved: false };
      return true;
    }
    const draws = marked instanceof DrawnCell && marked.slot === slot && !marked.complete;
    if (!draws || !this.light.isInside(at)) return false;
    if (!marked.isHere) {
      marked.showSlice();
      return true;
    }
    marked.place(at);
    this.drag = { cell: marked, index: marked.points.length - 1, x, y, moved: false, fresh: true };
    marked.active = this.drag.index;
    this.light.redraw();
    return true;
  }

  move({ x, y }) {
    const { drag } = this;
    const { cell } = drag;
    const far = Math.hypot(x - drag.x, y - drag.y) > 4 * this.light.ratio;
    if (!drag.moved && !far) return;
    drag.moved = true;
    // Pressing, drawing and releasing makes a whole line.
    if (drag.fresh && !cell.open && cell.needed > 1 && drag.index % 2 === 0) {
      cell.points.push(this.light.inside(this.light.toImage(x, y)));
      drag.index += 1;
      drag.fresh = false;
      cell.active = drag.index;
    }
    cell.points[drag.index] = this.light.inside(this.light.toImage(x, y));
    this.light.redraw();
  }

  up() {
    const { drag } = this;
    this.drag = null;
    const { cell } = drag;
    if (!drag.moved && !drag.fresh) cell.past.pop();
    cell.commit(!drag.moved && !drag.fresh);
    if (!cell.complete) cell.active = cell.points.length;
  }

  handleAt(slot, x, y) {
    let best = null;
    for (const cell of this.cells(slot)) {
      cell.points.forEach((point, index) => {
        const [px, py] = this.light.toStage(point);
        const distance = Math.hypot(px - x, py - y) / this.light.ratio;
        if (distance <= NEAR && (!best || distance < best.distance)) best = { cell, index, distance };
      });
    }
    return best;
  }

  render() {
    const { marked } = this.sheet;
    const draws = marked instanceof DrawnCell && !marked.complete;
    this.light.panels.forEach((panel, slot) => {
      const pending = draws && marked.slot === slot && this.light.shown;
      panel.root.classList.toggle("dk-draws", Boolean(pending));
      const shown = this.light.shown && !this.light.shift;
      const nodes = shown ? this.cells(slot).flatMap((cell) => this.nodesOf(cell)) : [];
      this.layerOf(panel).replaceChildren(...nodes);
    });
  }

  nodesOf(cell) {
    const kind = cell === this.sheet.marked ? "dk-mark dk-mark-now" : "dk-mark";
    const place = (point) => this.light.toStage(point).map((one) => one / this.light.ratio);
    const nodes = [];
    for (const line of cell.lines()) {
      const points = line.map((point) => place(point).map((one) => one.toFixed(1)).join(",")).join(" ");
      for (const under of ["dk-under ", ""]) {
        nodes.push(svgNode("polyline", { points, class: `${under}${kind}` }));
      }
    }
    if (cell.question.shape === "ellipse" && cell.question.kind === "region" && cell.points.length === 2) {
      const [[ax, ay], [bx, by]] = cell.points.map(place);
      const at = { cx: (ax + bx) / 2, cy: (ay + by) / 2, rx: Math.abs(bx - ax) / 2, ry: Math.abs(by - ay) / 2 };
      for (const under of ["dk-under ", ""]) nodes.push(svgNode("ellipse", { ...at, class: `${under}${kind}` }));
    }
    cell.points.forEach((point, index) => {
      const [cx, cy] = place(point);
      const active = cell === this.sheet.marked && index === cell.active;
      for (const under of ["dk-under ", ""]) {
        nodes.push(svgNode("circle", { cx, cy, r: active ? 6 : 4, class: `${under}${kind}` }));
      }
    });
    if (cell === this.sheet.marked && cell.cursor && !cell.complete) nodes.push(...this.crosshair(place(cell.cursor)));
    return nodes;
  }

  crosshair([x, y]) {
    const points = [`${x - 9},${y} ${x + 9},${y}`, `${x},${y - 9} ${x},${y + 9}`];
    return points.flatMap((line) =>
      ["dk-under ", ""].map((under) => svgNode("polyline", { points: line, class: `${under}dk-mark dk-mark-now` })),
    );
  }
}
