// Reading a pair: the images, the answers below them, and the step to the next pair.

const BLANK = 200;
const MAX_EVENTS = 200;
const EMPTY = { token: "", answers: [], comment: "", first: null, visible: 0 };

// Measures the time during which the images are visible.
class Stopwatch {
  constructor() {
    this.blockers = new Set(["start"]);
    this.total = 0;
    this.since = 0;
  }

  block(why, on) {
    if (!this.blockers.size) this.total += performance.now() - this.since;
    if (on) this.blockers.add(why);
    else this.blockers.delete(why);
    this.since = performance.now();
  }

  restart(total = 0) {
    this.total = total;
    this.since = performance.now();
  }

  read() {
    return Math.round(this.total + (this.blockers.size ? 0 : performance.now() - this.since));
  }
}

class Reading {
  constructor(desk) {
    this.desk = desk;
    this.pair = null;
    this.draft = EMPTY;
    this.outcome = null;
    this.busy = false;
    this.events = [];
    this.watch = new Stopwatch();
    this.light = new LightBox((kind, payload) => this.noted(kind, payload));
    this.light.grid.rrLight = this.light;
    this.sheet = new Sheet(() => this.answered());
    this.sheet.light = this.light;
    this.light.marks = new Marks(this.light, this.sheet);
    this.comment = make("input", { type: "text", class: "dk-words-in", autocomplete: "off" });
    this.comment.maxLength = 500;
    this.next = pressable("", () => this.press(), "dk-main dk-go");
    this.feedback = make("div", { class: "dk-told", hidden: "" });
    this.small = make("div", { class: "dk-small", hidden: "" });
    const last = make("div", { class: "dk-last" }, this.comment, this.sheet.preferences, this.next);
    const dock = make("div", { class: "dk-dock" }, this.sheet.root, last, this.feedback);
    const images = make("div", { class: "dk-stage" }, this.light.grid, this.light.rail, this.small);
    this.root = make("div", { class: "dk-reading" }, images, dock);
    desk.forLife(document, "visibilitychange", () => this.watch.block("hidden", document.hidden));
    desk.forLife(window, "resize", () => this.checkSize());
  }

  get guessing() {
    return this.screen.kind === "guess";
  }

  get correcting() {
    return Boolean(this.pair && this.pair.correcting);
  }

  // Black for a moment, so that one pair is not compared with the next; then both images appear
  // together.
  async open(screen, pair) {
    this.keepDraft();
    this.screen = screen;
    this.pair = pair;
    this.outcome = null;
    this.key = randomKey();
    const draft = this.draft.token === pair.token && !pair.correcting ? this.draft : EMPTY;
    this.first = draft.first;
    this.events = [];
    this.watch.block("start", true);
    this.watch.restart(draft.visible);
    this.light.clear();
    this.feedback.hidden = true;
    const answers = pair.correcting ? pair.answers : draft.answers;
    this.sheet.prepare(this.questions(), pair.plate.images, answers);
    this.comment.value = draft.comment;
    this.showComment();
    this.setBusy(true);
    const token = pair.token;
    const loading = setInterval(() => this.showLoading(), 500);
    const [pixels] = await Promise.all([this.fetch(pair), pause(BLANK)]).finally(() => {
      clearInterval(loading);
      if (this.load.told) this.desk.say("");
    });
    if (this.pair !== pair || this.pair.token !== token) return;
    await this.light.show(pair.plate, pixels);
    this.sheet.show();
    this.setBusy(false);
    this.checkSize();
    this.watch.restart(draft.visible);
    this.watch.block("start", false);
    this.desk.showTools();
    prefetch(pair.next_ticket);
  }

  // A ticket that was used without success is replaced once.
  async fetch(pair) {
    try {
      return await this.take(pair);
    } catch (refusal) {
      if (refusal.code !== "ticket") throw refusal;
      const which = pair.correcting ? "previous" : "current";
      const { pair: again } = await api("pair", { which });
      Object.assign(pair, { ticket: again.ticket, next_ticket: again.next_ticket });
      if (again.token !== pair.token) throw new Refusal("already_answered", text("error.already_answered"));
      return this.take(pair);
    }
  }

  async take(pair) {
    this.load = pixelsOf(pair);
    return imagesOf(await this.load.buffer, pair.plate);
  }

  // What takes longer than a moment says how far it is.
  showLoading() {
    this.load.told = true;
    this.desk.say(text("reading.loading", { percent: Math.floor(100 * this.load.share) }));
  }

  questions() {
    const { body } = this.screen;
    if (!this.guessing) return body.questions;
    const asked = { code: "made", text: text("guess.question"), kind: "likert" };
    const ends = { minimum: 1, maximum: body.groups.length, anchors: body.groups };
    return [{ ...asked, ...ends, cannot_judge: true, cannot: text("guess.do_not_know") }];
  }

  showComment() {
    this.comment.hidden = this.guessing;
    const name = this.correcting ? "reading.reason" : "reading.comment";
    this.comment.placeholder = text(`${name}.hint`);
    this.comment.setAttribute("aria-label", text(name));
    this.root.classList.toggle("dk-correcting", this.correcting);
    this.showNext();
  }

  showNext() {
    const next = this.correcting ? "store_correction" : this.guessing ? "next" : "next_pair";
    putText(this.next, text(`reading.${next}`));
    const complete = !this.sheet.missing().length;
    this.next.classList.toggle("dk-waiting", !complete);
  }

  answered() {
    if (this.first === null) this.first = this.watch.read();
    this.desk.say("");
    this.showNext();
  }

  noted(kind, payload) {
    if (this.pair && this.events.length < MAX_EVENTS) {
      this.events.push({ kind, payload, at_ms: this.watch.read() });
    }
  }

  setBusy(busy) {
    this.busy = busy;
    this.root.setAttribute("aria-busy", String(busy));
    this.next.disabled = busy;
    this.lock();
  }

  lock() {
    this.sheet.lock(this.busy || Boolean(this.outcome) || !this.small.hidden);
  }

  cover(why, covered) {
    this.watch.block(why, covered);
    this.light.cover(this.watch.blockers.has("pause") || this.watch.blockers.has("small"));
    this.lock();
  }

  checkSize() {
    if (!this.screen || !this.pair) return;
    const { least_width: width, least_height: height } = this.screen.body;
    const [wide, high] = [window.innerWidth, window.innerHeight];
    const small = wide < width || high < height;
    this.small.hidden = !small;
    putText(this.small, text("reading.small", { wide, high, width, height }));
    this.cover("small", small);
  }

  // Drops the focus, so that Space swaps the images again.
  press() {
    this.next.blur();
    return this.submit();
  }

  async submit() {
    if (this.outcome) return this.goOn();
    if (this.busy || !this.pair || this.sheet.locked) return undefined;
    const missing = this.sheet.missing();
    if (missing.length) {
      this.sheet.mark(missing[0]);
      missing[0].enter();
      const { name } = missing[0];
      return this.desk.say(plural("reading.missing", missing.length, { name }));
    }
    if (this.correcting && !this.comment.value.trim()) {
      this.comment.focus();
      return this.desk.say(text("reading.reason_missing"));
    }
    this.setBusy(true);
    return this.desk.attempt(() => this.store()).finally(() => this.setBusy(false));
  }

  async store() {
    const [path, body] = this.message();
    this.sendEvents();
    const outcome = await api(path, body);
    this.desk.say(outcome.repeated ? text("reading.repeated") : "");
    if (outcome.feedback) this.showFeedback(outcome);
    else await this.desk.enter(outcome.screen, outcome.pair);
  }

  message() {
    const { token } = this.pair;
    if (this.guessing) {
      const guesses = this.sheet.answers().map(({ value }) => (value === null ? null : value - 1));
      return ["guess", { token, guesses }];
    }
    const common = {
      token,
      answers: this.sheet.answers(),
      key: this.key,
      visible_ms: this.watch.read(),
      first_ms: this.first,
      held: ahead.ticket,
      version: this.screen.body.version,
    };
    const written = this.comment.value.trim();
    return this.correcting
      ? ["correct", { ...common, reason: written }]
      : ["rate", { ...common, comment: written }];
  }

  sendEvents() {
    if (!this.events.length || this.guessing) return;
    const events = this.events.splice(0);
    api("interaction", { token: this.pair.token, events }).catch(() => {});
  }

  showFeedback(outcome) {
    this.outcome = outcome;
    this.lock();
    const made = outcome.feedback.map((what, i, all) =>
      make("p", { class: "dk-made" }, make("b", {}, imageName(i, all.length)), what),
    );
    const next = pressable(text("reading.next_pair"), () => this.goOn(), "dk-main");
    const stored = make("div", { class: "dk-stored" }, make("p", {}, text("reading.stored")), next);
    // Of a pair between its images, else after the last one.
    made.splice(made.length > 2 ? made.length : 1, 0, stored);
    this.feedback.classList.toggle("dk-many", made.length > 3);
    this.feedback.replaceChildren(...made);
    this.feedback.hidden = false;
    next.focus();
  }

  async goOn() {
    const { screen, pair } = this.outcome;
    this.outcome = null;
    await this.desk.attempt(() => this.desk.enter(screen, pair));
  }

  async correct() {
    if (this.busy || this.correcting || this.outcome || !this.screen.can_correct) return;
    prefetch("");
    await this.desk.correctLast();
  }

  async stopCorrecting() {
    if (!this.correcting || this.busy) return;
    await this.desk.refresh();
    this.desk.say(text("reading.unchanged"));
  }

  // Answers to a pair that are not stored yet come back when the same pair is shown again.
  keepDraft() {
    if (!this.pair || this.correcting || this.guessing) return;
    this.draft = {
      token: this.pair.token,
      answers: this.sheet.answers().filter(({ value }) => value !== undefined),
      comment: this.comment.value,
      first: this.first,
      visible: this.watch.read(),
    };
  }

  close() {
    this.keepDraft();
    this.pair = null;
    this.light.clear();
    this.watch.block("start", true);
    prefetch("");
  }
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
