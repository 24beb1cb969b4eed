// The answer sheet: one row per question, with the answers for the left and the right image.

const SIDES = ["image.left", "image.right"];
const PAIR = 2;

// What a digit means: the point itself, or its place where points are below 0 or above 9.
function pointOfDigit({ minimum, maximum }, digit) {
  const value = minimum >= 0 && maximum <= 9 ? digit : minimum + digit - 1;
  return value >= minimum && value <= maximum ? value : null;
}

class Cell {
  constructor(sheet, question, slot, sided) {
    this.sheet = sheet;
    this.question = question;
    this.slot = slot;
    this.value = undefined;
    this.node = make("div", { class: "dk-cell", role: "radiogroup" });
    const side = sided && SIDES[slot] && text(SIDES[slot]);
    this.name = side ? text("answer.side", { question: question.text, side }) : question.text;
    this.node.setAttribute("aria-label", this.name);
    this.buttons = new Map();
    const points = Array.from(
      { length: question.maximum - question.minimum + 1 },
      (_, i) => question.minimum + i,
    );
    for (const point of points) this.addPoint(point, question.anchors[point - question.minimum]);
    if (question.cannot_judge) this.add(null, "dk-point dk-cannot", "X", question.cannot || text("answer.cannot_judge"));
    // Clicks on the gaps mark the question.
    this.node.addEventListener("pointerdown", () => sheet.mark(this));
    this.node.addEventListener("focusin", () => sheet.mark(this, false));
  }

  addPoint(point, anchor) {
    if (this.question.kind !== "preference") {
      this.add(point, "dk-point", String(point), anchor || "");
      return;
    }
    const sides = [["\u2190", "answer.left"], ["\u2193", "answer.none"], ["\u2192", "answer.right"]];
    const [key, name] = sides[point + 1];
    this.add(point, "dk-point dk-side", key, text(name));
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

  show() {
    const marked = this.sheet.marked === this;
    this.node.classList.toggle("dk-marked", marked);
    this.node.classList.toggle("dk-answered", this.value !== undefined);
    for (const [value, button] of this.buttons) {
      const chosen = this.value === value;
      button.setAttribute("aria-checked", String(chosen));
      // One stop of the Tab key for each question.
      button.tabIndex = chosen || (this.value === undefined && button === this.first()) ? 0 : -1;
    }
  }

  first() {
    return this.buttons.values().next().value;
  }
}

class Sheet {
  // `changed()` is called after every answer.
  constructor(changed) {
    this.changed = changed;
    this.root = make("div", { class: "dk-sheet" });
    this.preferences = make("div", { class: "dk-preference" });
    this.cells = [];
    this.marked = null;
  }

  // Rows are built once for the questions of a study and emptied for every pair.
  prepare(questions, images, answers = []) {
    const known = JSON.stringify([questions, images]);
    if (known !== this.known) this.build(questions, images);
    this.known = known;
    for (const cell of this.cells) {
      const code = cell.question.code;
      const given = answers.find((each) => each.question === code && each.slot === cell.slot);
      cell.value = given ? given.value : undefined;
    }
    this.marked = this.missing()[0] || null;
    this.show();
  }

  build(questions, images) {
    this.cells = [];
    this.root.replaceChildren();
    this.preferences.replaceChildren();
    this.root.classList.toggle("dk-dense", questions.length > 4);
    this.root.classList.toggle("dk-alone", images === 1);
    const longest = Math.max(...questions.map(({ maximum, minimum }) => maximum - minimum));
    this.root.classList.toggle("dk-bare", longest > 5);
    for (const question of questions) {
      if (question.kind === "preference") {
        const cell = this.addCell(question, PAIR);
        this.preferences.append(make("span", { class: "dk-question" }, question.text), cell.node);
        continue;
      }
      const asked = make("div", { class: "dk-question", "aria-hidden": "true" }, question.text);
      if (images === 1) {
        this.root.append(asked, this.addCell(question, 0, false).node);
        continue;
      }
      const [left, right] = [0, 1].map((slot) => this.addCell(question, slot));
      this.root.append(left.node, asked, right.node);
    }
  }

  addCell(question, slot, sided = true) {
    const cell = new Cell(this, question, slot, sided);
    this.cells.push(cell);
    return cell;
  }

  missing() {
    return this.cells.filter((cell) => cell.value === undefined);
  }

  mark(cell, redraw = true) {
    if (this.locked || this.marked === cell) return;
    this.marked = cell;
    if (redraw || cell) this.show();
  }

  // Marks the next question without an answer, from the start again after the last.
  answer(cell, value) {
    if (this.locked) return;
    cell.value = value;
    const place = this.cells.indexOf(cell);
    const order = [...this.cells.slice(place + 1), ...this.cells.slice(0, place)];
    this.marked = order.find((each) => each.value === undefined) || null;
    this.show();
    this.changed(cell);
  }

  back() {
    const place = this.marked ? this.cells.indexOf(this.marked) : this.cells.length;
    this.mark(this.cells[Math.max(0, place - 1)]);
  }

  digit(number) {
    const cell = this.marked;
    if (!cell || cell.slot === PAIR) return false;
    const value = pointOfDigit(cell.question, number);
    if (value !== null) this.answer(cell, value);
    return value !== null;
  }

  cannotJudge() {
    if (this.marked && this.marked.question.cannot_judge) this.answer(this.marked, null);
  }

  prefer(value) {
    const cell = this.cells.find((each) => each.slot === PAIR);
    if (cell) this.answer(cell, value);
  }

  answers() {
    return this.cells.map(({ question, slot, value }) => ({ question: question.code, slot, value }));
  }

  show() {
    for (const cell of this.cells) cell.show();
  }
}
