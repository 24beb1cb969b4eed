// The widgets of the kinds of questions; those that are drawn on an image are in reader_drawing.js.

// What a typed number means: the point itself, or its place where points are below 0.
function pointOfDigit({ minimum, maximum }, number) {
  const value = minimum >= 0 ? number : minimum + number - 1;
  return value >= minimum && value <= maximum ? value : null;
}

// Points of a scale, yes and no, choices, steps: buttons of which one is chosen.
class PointsCell extends Cell {
  role() {
    return "radiogroup";
  }

  draw() {
    this.buttons = new Map();
    const { minimum, maximum } = this.question;
    // With more than two images, those on the screen and their answers are not below each other.
    if (this.sheet.many) this.node.append(make("span", { class: "dk-of", "aria-hidden": "true" }, this.side));
    for (let point = minimum; point <= maximum; point += 1) this.addPoint(point);
  }

  addPoint(point) {
    const { kind, anchors, minimum } = this.question;
    const anchor = anchors[point - minimum] || "";
    if (kind === "preference") {
      const sides = [["\u2190", "answer.left"], ["\u2193", "answer.none"], ["\u2192", "answer.right"]];
      const [key, name] = sides[point + 1];
      this.add(point, "dk-point dk-side", key, text(name));
    } else if (kind === "comparison") {
      const ends = { [-3]: "\u2190 3", 3: "3 \u2192" };
      const place = ["left3", "left2", "left1", "none", "right1", "right2", "right3"][point + 3];
      this.add(point, "dk-point dk-step", ends[point] || String(Math.abs(point)), "");
      this.buttons.get(point).title = anchor || text(`step.${place}`);
      this.buttons.get(point).setAttribute("aria-label", anchor || text(`step.${place}`));
    } else if (kind === "yes_no") {
      this.add(point, "dk-point", String(point), anchor || text(point ? "answer.yes" : "answer.no"));
    } else {
      this.add(point, "dk-point", String(point), anchor);
    }
  }

  add(value, kind, key, anchor) {
    const button = make("button", { type: "button", class: kind, role: "radio", tabindex: "-1" });
    button.append(make("span", { class: "dk-key" }, key));
    if (anchor) button.append(make("span", { class: "dk-anchor" }, anchor));
    button.setAttribute("aria-checked", "false");
    button.title = anchor ? `${anchor} (${key})` : key;
    button.addEventListener("click", () => this.sheet.answer(this, value));
    this.buttons.set(value, button);
    this.node.append(button);
  }

  addCannotJudge() {
    const name = this.question.cannot || text("answer.cannot_judge");
    this.add(null, "dk-point dk-cannot", "X", name);
  }

  digit(number) {
    if (this.question.kind === "preference") return false;
    const value = pointOfDigit(this.question, number);
    if (value !== null) this.sheet.answer(this, value);
    return value !== null;
  }

  towards(side) {
    if (this.question.kind === "preference" || side === 0) return side;
    const { minimum, maximum } = this.question;
    return Math.min(Math.max((this.value || 0) + side, minimum), maximum);
  }

  show() {
    super.show();
    const first = this.buttons.values().next().value;
    for (const [value, button] of this.buttons) {
      const chosen = this.value === value;
      button.setAttribute("aria-checked", String(chosen));
      // One stop of the Tab key for each question.
      button.tabIndex = chosen || (this.value === undefined && button === first) ? 0 : -1;
    }
  }
}

// The rank of one image among those that are shown. Without ties a rank that is given again is taken
// from the image that had it.
class RankCell extends PointsCell {
  answered(value) {
    if (this.question.ties) return;
    const others = this.sheet.cells.filter(
      (each) => each !== this && each.question === this.question && each.value === value,
    );
    for (const other of others) other.value = undefined;
  }

  // A ranking is completed before the next one begins.
  following(open) {
    return open.find((each) => each.question === this.question) || open[0];
  }
}

// A visual analogue scale: a line without marks, and no handle before the reader has chosen.
class LineCell extends Cell {
  draw() {
    const [low, high] = this.question.anchors;
    this.handle = make("i", { class: "dk-handle" });
    this.line = make("div", { class: "dk-line-in", role: "slider", tabindex: "0" }, this.handle);
    this.line.setAttribute("aria-label", this.name);
    this.line.setAttribute("aria-valuemin", "0");
    this.line.setAttribute("aria-valuemax", "100");
    this.node.append(
      make("span", { class: "dk-end-word" }, low || ""),
      this.line,
      make("span", { class: "dk-end-word" }, high || ""),
    );
    this.line.addEventListener("pointerdown", (event) => {
      if (this.sheet.locked || event.button) return;
      this.line.setPointerCapture(event.pointerId);
      this.pull(event);
    });
    this.line.addEventListener("pointermove", (event) => {
      if (this.line.hasPointerCapture(event.pointerId)) this.pull(event);
    });
    this.line.addEventListener("pointerup", (event) => {
      if (typeof this.value === "number" && !event.button) this.sheet.answer(this, this.value);
    });
  }

  pull(event) {
    const { left, width } = this.line.getBoundingClientRect();
    const share = (event.clientX - left) / Math.max(width, 1);
    this.sheet.answer(this, Math.round(100 * Math.min(Math.max(share, 0), 1)), true);
  }

  key(name) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
    if (!(name in steps)) return false;
    // The first key shows the handle in the middle, from where it is moved.
    const from = typeof this.value === "number" ? this.value : 50;
    this.sheet.answer(this, Math.min(Math.max(from + steps[name], 0), 100), true);
    return true;
  }

  enter() {
    this.line.focus();
  }

  show() {
    super.show();
    const placed = typeof this.value === "number";
    this.handle.hidden = !placed;
    if (placed) this.handle.style.left = `${this.value}%`;
    this.line.setAttribute("aria-valuenow", String(placed ? this.value : 50));
    this.line.setAttribute("aria-valuetext", placed ? String(this.value) : text("answer.not_yet"));
  }
}

// A field that is typed into; what is not possible yet is no answer.
class FieldCell extends Cell {
  draw() {
    this.input = make("input", { type: "text", class: "dk-words-in", autocomplete: "off" });
    this.input.setAttribute("aria-label", this.name);
    this.node.append(this.input);
    this.input.addEventListener("input", () => {
      this.sheet.answer(this, this.read(), true);
      this.input.setAttribute("aria-invalid", String(this.value === undefined && this.input.value !== ""));
    });
    this.input.addEventListener("blur", () => {
      if (this.value !== undefined && this.sheet.marked === this) this.sheet.answer(this, this.value);
    });
  }

  enter() {
    this.input.focus();
  }

  lock(locked) {
    this.input.readOnly = Boolean(locked);
  }

  show() {
    super.show();
    if (this.value === null) this.input.value = "";
  }
}

class NumberCell extends FieldCell {
  draw() {
    super.draw();
    const { low, high, unit } = this.question;
    this.input.inputMode = "decimal";
    this.input.classList.add("dk-number-in");
    this.input.placeholder = text("answer.range", { low, high });
    this.node.append(make("span", { class: "dk-unit" }, unit));
  }

  read() {
    const value = parseNumber(this.input.value);
    const { low, high } = this.question;
    return value !== null && value >= low && value <= high ? value : undefined;
  }

  restore(value) {
    super.restore(value);
    this.input.value = typeof value === "number" ? String(value) : "";
  }

  // A digit begins the number.
  digit(number) {
    if (document.activeElement === this.input || this.sheet.locked || number > 9) return false;
    this.input.value = String(number);
    this.input.focus();
    this.input.dispatchEvent(new Event("input"));
    return true;
  }
}

// Free text may be empty, so that it is answered from the start.
class TextCell extends FieldCell {
  draw() {
    super.draw();
    this.input.maxLength = this.question.longest;
    this.input.placeholder = text("answer.text");
  }

  read() {
    return this.input.value;
  }

  restore(value) {
    super.restore(value === undefined ? "" : value);
    this.input.value = value || "";
  }
}

const WIDGETS = {
  likert: PointsCell,
  preference: PointsCell,
  comparison: PointsCell,
  yes_no: PointsCell,
  choice: PointsCell,
  ranking: RankCell,
  vas: LineCell,
  number: NumberCell,
  text: TextCell,
};
