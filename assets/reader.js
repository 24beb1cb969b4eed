// The reader's page: a bar on top and one screen below it, which the server chooses.

const root = element.querySelector(".desk");
const life = new AbortController();

class Desk {
  constructor() {
    this.root = root;
    this.screen = null;
    this.shown = new AbortController();
    this.breakAt = 0;
    this.sitting = 0;
    this.facts = screenFacts();
    this.title = make("span", { class: "dk-title" });
    this.phase = make("span", { class: "dk-phase" });
    this.count = make("span", { class: "dk-count" });
    this.line = make("i", {});
    this.status = make("div", { class: "dk-status", role: "status" });
    this.preset = make("select", { "aria-label": text("tool.preset") });
    this.preset.title = text("tool.preset.help");
    this.preset.addEventListener("change", () => this.choosePreset());
    this.zoomed = make("span", { class: "dk-zoom", title: text("tool.zoom.help") });
    this.body = make("main", { class: "dk-body" });
    this.reading = new Reading(this);
    this.reading.light.changed = () => this.showTools();
    new Pointers(this.reading.light, life);
    this.makeBar();
    root.replaceChildren(this.bar, this.status, this.body);
  }

  makeBar() {
    const { light } = this.reading;
    const tool = (name, action) => {
      const node = make("button", { type: "button", class: "dk-tool" }, text(`tool.${name}`));
      node.title = text(`tool.${name}.help`);
      node.addEventListener("click", () => {
        // Give the keyboard back to the images.
        node.blur();
        action();
      });
      return node;
    };
    this.smooth = tool("smooth", () => this.toggleSmooth());
    this.previous = tool("previous", () =>
      this.reading.correcting ? this.reading.stopCorrecting() : this.reading.correct(),
    );
    const bar = make("span", { class: "dk-line" }, this.line);
    this.progress = make("div", { class: "dk-progress" }, this.phase, this.count, bar);
    const reset = tool("reset", () => light.reset());
    this.tools = make("div", { class: "dk-tools" });
    this.tools.append(this.zoomed, this.preset, reset, this.smooth, this.previous);
    this.tools.append(
      tool("pause", () => pauseDialog(this)),
      tool("keys", () => this.showKeys()),
    );
    const menu = tool("menu", () => this.screen && menuDialog(this));
    this.bar = make("header", { class: "dk-bar" });
    const space = make("span", { class: "dk-space" });
    this.bar.append(this.title, this.progress, space, this.tools, menu);
  }

  // Listeners for as long as the page, and for as long as the screen.
  forLife(target, type, action) {
    target.addEventListener(type, action, { signal: life.signal });
  }

  whileShown(target, type, action) {
    target.addEventListener(type, action, { signal: this.shown.signal });
  }

  say(message) {
    putText(this.status, message);
    this.status.title = message;
  }

  showKeys() {
    keysDialog(this);
  }

  toggleSmooth() {
    this.reading.light.smooth = !this.reading.light.smooth;
    this.reading.light.redraw();
  }

  choosePreset() {
    this.reading.light.usePreset(Number(this.preset.value));
    this.preset.blur();
  }

  // Errors are shown in one place; a page that is out of date shows the server's state.
  async attempt(action) {
    try {
      await action();
    } catch (problem) {
      const known = problem instanceof Refusal;
      const message = known ? problem.message : text("page.wrong");
      if (known && problem.stale) await this.refresh();
      this.say(message);
    }
  }

  async step(name, body) {
    await this.attempt(async () => {
      const { screen, message } = await api(name, body);
      await this.enter(screen, null);
      if (message) this.say(message);
    });
  }

  async refresh() {
    try {
      const { screen } = await api("state");
      await this.enter(screen, null);
    } catch (problem) {
      this.trouble(problem instanceof Refusal ? problem.message : text("lost.text"));
    }
  }

  // Another monitor, zoom or size of the window: the server decides whether the check is repeated.
  screenChanged() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (!this.screen || screenFacts() === this.facts || this.root.querySelector("dialog")) return;
      const { busy, outcome, small, pair } = this.reading;
      const reads = pair && !busy && !outcome && small.hidden;
      if (reads || ["ready", "display"].includes(this.screen.kind)) this.refresh();
    }, 400);
  }

  trouble(problem) {
    this.reading.close();
    this.swap(
      card(
        text("lost.title"),
        make("p", {}, problem),
        actions(pressable(text("button.try_again"), () => this.refresh(), "dk-main")),
      ),
      false,
    );
  }

  async enter(screen, pair) {
    const before = this.screen;
    this.screen = screen;
    this.facts = screenFacts();
    this.showHead();
    if (screen.kind !== "pair" && screen.kind !== "guess") return this.showCard();
    await this.suggestBreak(before);
    if (screen.kind === "guess" && before && before.kind !== "guess") return this.showCard();
    return this.openPair(screen, pair);
  }

  async openPair(screen, pair) {
    try {
      const found = pair ? { screen, pair } : await api("pair", { which: "current" });
      this.screen = found.screen;
      this.showHead();
      if (this.body.firstChild !== this.reading.root) this.swap(this.reading.root, true);
      await this.reading.open(found.screen, found.pair);
    } catch (problem) {
      if (!(problem instanceof Refusal) || problem.stale) throw problem;
      this.trouble(problem.message);
    }
  }

  async correctLast() {
    await this.attempt(async () => {
      const { screen, pair } = await api("pair", { which: "previous" });
      await this.openPair(screen, pair);
      this.say(text("reading.correcting"));
    });
  }

  async suggestBreak(before) {
    const { break_minutes: every, sitting_minutes: sitting } = this.screen.body;
    if (!every) return;
    if (sitting < this.sitting) this.breakAt = 0;
    this.sitting = sitting;
    if (sitting < this.breakAt + every) return;
    this.breakAt = sitting;
    if (!before) return;
    this.reading.light.clear();
    await breakDialog(this, Math.round(sitting));
  }

  showCard() {
    this.reading.close();
    const cards = {
      consent: consentScreen,
      profile: profileScreen,
      display: displayScreen,
      ready: readyScreen,
      wait: waitScreen,
      guess: guessScreen,
    };
    this.shown.abort();
    this.shown = new AbortController();
    const draw = cards[this.screen.kind] || noticeScreen;
    this.swap(draw(this, this.screen.body, this.screen), false);
    const first = this.body.querySelector("input, .dk-main");
    if (first) first.focus({ preventScroll: true });
  }

  swap(node, reading) {
    this.say("");
    root.classList.toggle("dk-reads", reading);
    this.body.replaceChildren(node);
    this.body.scrollTop = 0;
  }

  showHead() {
    const { title, demo, progress, kind } = this.screen;
    putText(this.title, demo ? text("page.demo", { title }) : title);
    this.title.title = title;
    this.progress.hidden = !progress || kind === "wait";
    if (!progress) return;
    const { phase, done, total } = progress;
    putText(this.phase, text(`phase.${kind === "guess" ? "guess" : phase}`));
    const number = kind === "pair" || kind === "guess" ? Math.min(done + 1, total) : 0;
    putText(this.count, text("page.progress", { number, total }));
    this.line.style.width = `${total ? (100 * done) / total : 0}%`;
  }

  showTools() {
    const { light, pair, correcting } = this.reading;
    const presets = light.plate ? light.plate.presets : [];
    const names = presets.map(({ label }) => label);
    const old = Array.from(this.preset.options, (option) => option.textContent).slice(1);
    if (names.join("\n") !== old.join("\n") || !this.preset.options.length) {
      const custom = make("option", { value: "-1", disabled: "" }, text("tool.preset.custom"));
      const options = names.map((name, i) => make("option", { value: String(i) }, name));
      this.preset.replaceChildren(custom, ...options);
    }
    this.preset.value = String(light.preset);
    putText(this.zoomed, light.plate ? `${Math.round(light.scale() * 100)} %` : "");
    this.smooth.setAttribute("aria-pressed", String(light.smooth));
    putText(this.previous, text(correcting ? "tool.cancel" : "tool.previous"));
    this.previous.disabled = !pair || !(correcting || this.screen.can_correct);
  }

  async signOut() {
    await this.attempt(async () => {
      await send("logout", { method: "POST", headers: { "X-Reading-Room": "1" } });
      await leave();
    });
  }
}

function begin() {
  const desk = new Desk();
  listenToKeys(desk);
  // A page that the browser restores from memory may be out of date.
  desk.forLife(window, "pageshow", (event) => event.persisted && desk.refresh());
  desk.forLife(window, "resize", () => desk.screenChanged());
  whenRatioChanges(() => {
    desk.reading.light.arrange();
    desk.screenChanged();
  }, life.signal);
  desk.refresh();
}

// Without the texts there is no page: tried again until the server answers.
async function load() {
  try {
    await loadTexts();
  } catch {
    root.textContent = "The server cannot be reached. Trying again \u2026";
    setTimeout(load, 2000);
    return;
  }
  begin();
}

load();
