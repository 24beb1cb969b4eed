// The answer sheet: one row per question, with the answers for the image, or the left and the right.

const PAIR = 2;
// The slots of the images, in the order of the panels.
const SLOTS = [0, 1, 3, 4, 5, 6];

// The name of an image: the only one, left and right, or the number of its panel in a ranking.
function imageName(place, images) {
  if (images > 2) return text("image.number", { n: place + 1 });
  return text(images === 1 ? "image.single" : ["image.left", "image.right"][place]);
}

// The widget of a question. A kind has its class in WIDGETS; this is what they have in common.
class Cell {
  constructor(sheet, question, slot, side) {
    this.sheet = sheet;
    this.question = question;
    this.slot = slot;
    this.side = side;
    this.value = undefined;
    this.node = make("div", { class: `dk-cell dk-kind-${question.kind}`, role: this.role() });
    this.name = side ? text("answer.side", { question: question.text, side }) : question.text;
    this.node.setAttribute("aria-label", this.name);
    this.draw();
    if (question.cannot_judge) this.addCannotJudge();
    // Clicks on the gaps mark the question.
    this.node.addEventListener("pointerdown", () => sheet.mark(this));
    this.node.addEventListener("focusin", () => sheet.mark(this, false));
  }

  role() {
    return "group";
  }

  addCannotJudge() {
    const name = this.question.cannot || text("answer.cannot_judge");
    const label = make("span", { class: "dk-anchor" }, name);
    const key = make("span", { class: "dk-key" }, "X");
    this.cannot = make("button", { type: "button", class: "dk-point dk-cannot" }, key, label);
    this.cannot.title = `${name} (X)`;
    this.cannot.addEventListener("click", () => this.sheet.answer(this, null));
    this.node.append(this.cannot);
  }

  // A stored answer or a draft; undefined for none. Of a drawing on a stack with its slice, from 1.
  restore(value) {
    this.value = value;
  }

  get sliceNumber() {
    return undefined;
  }

  // What a digit, another key, or Enter on the marked question does; whether it did anything.
  digit() {
    return false;
  }

  key() {
    return false;
  }

  enter() {}

  // What an answer changes in others, and which of those without an answer is marked after it.
  answered() {}

  following(open) {
    return open[0];
  }

  lock() {}

  show() {
    this.node.classList.toggle("dk-marked", this.sheet.marked === this);
    this.node.classList.toggle("dk-answered", this.value !== undefined);
    if (this.cannot) this.cannot.setAttribute("aria-pressed", String(this.value === null));
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
      cell.restore(given ? given.value : undefined, given && given.slice_number);
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
    this.many = images > 2;
    this.root.classList.toggle("dk-many", this.many);
    this.root.style.setProperty("--dk-images", images);
    const scales = questions.filter(({ kind }) => kind === "likert");
    const longest = Math.max(...scales.map(({ maximum, minimum }) => maximum - minimum), 0);
    this.root.classList.toggle("dk-bare", longest > 5);
    for (const question of questions) {
      if (question.kind === "preference" || question.kind === "comparison") {
        const cell = this.addCell(question, PAIR);
        this.preferences.append(make("span", { class: "dk-question" }, question.text), cell.node);
        continue;
      }
      const asked = make("div", { class: "dk-question", "aria-hidden": "true" }, question.text);
      if (images === 1) {
        this.root.append(asked, this.addCell(question, SLOTS[0]).node);
        continue;
      }
      const cells = SLOTS.slice(0, images).map((slot, i) =>
        this.addCell(question, slot, imageName(i, images)),
      );
      const nodes = cells.map(({ node }) => node);
      nodes.splice(images === 2 ? 1 : 0, 0, asked);
      this.root.append(...nodes);
    }
  }

  addCell(question, slot, side = "") {
    const cell = new WIDGETS[question.kind](this, question, slot, side);
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

  lock(locked) {
    this.locked = locked;
    for (const cell of this.cells) cell.lock(locked);
  }

  // Marks the next question without an answer, from the start again after the last, unless the
  // reader stays with this one.
  answer(cell, value, stays = false) {
    if (this.locked) return;
    cell.value = value;
    cell.answered(value);
    const place = this.cells.indexOf(cell);
    const order = [...this.cells.slice(place + 1), ...this.cells.slice(0, place)];
    if (!stays) this.marked = cell.following(order.filter((each) => each.value === undefined)) || null;
    this.show();
    this.changed(cell);
  }

  back() {
    const place = this.marked ? this.cells.indexOf(this.marked) : this.cells.length;
    this.mark(this.cells[Math.max(0, place - 1)]);
  }

  // A second digit within a second belongs to the number that the first one began: 1 and 0 are 10.
  digit(number) {
    const { cell, first, until } = this.typed || {};
    this.typed = null;
    if (cell && first && performance.now() < until && cell.digit(10 * first + number)) return true;
    const marked = this.marked;
    if (!marked || !marked.digit(number)) return false;
    this.typed = { cell: marked, first: number, until: performance.now() + 1000 };
    return true;
  }

  // Whether the marked question takes this key for itself.
  key(name, event) {
    return Boolean(this.marked && !this.locked && this.marked.key(name, event));
  }

  cannotJudge() {
    if (this.marked && this.marked.question.cannot_judge) this.answer(this.marked, null);
  }

  // Left, no preference, right; on a comparison of several steps one step, or its middle.
  prefer(value) {
    const cell = this.cells.find((each) => each.slot === PAIR);
    if (cell) this.answer(cell, cell.towards(value));
  }

  answers() {
    return this.cells.map(({ question, slot, value, sliceNumber }) => (
      { question: question.code, slot, slice_number: sliceNumber, value }
    ));
  }

  show() {
    for (const cell of this.cells) cell.show();
  }
}
