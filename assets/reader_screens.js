// The screens without images: consent, profile, before a session, waiting, the end.

function paragraphs(words) {
  return words.split(/\n\s*\n/).map((part) => make("p", {}, part.trim()));
}

function card(title, ...nodes) {
  return make("section", { class: "dk-card" }, make("h1", {}, title), ...nodes);
}

function pressable(label, action, kind = "") {
  const node = make("button", { type: "button", class: `dk-button ${kind}`.trim() }, label);
  node.addEventListener("click", action);
  return node;
}

function actions(...buttons) {
  return make("div", { class: "dk-actions" }, ...buttons);
}

function tick(label, changed) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", changed);
  return { box, node: make("label", { class: "dk-tick" }, box, make("span", {}, label)) };
}

function labelled(label, input, hint = "") {
  const parts = [make("span", {}, label)];
  if (hint) parts.push(make("small", {}, hint));
  return make("label", { class: "dk-field" }, make("span", { class: "dk-words" }, ...parts), input);
}

// A form that is submitted by script alone, by its button or by Enter.
function form(...nodes) {
  const node = make("form", { class: "dk-form", novalidate: "", autocomplete: "off" }, ...nodes);
  node.addEventListener("submit", (event) => event.preventDefault());
  return node;
}

function submitButton(label) {
  return make("button", { type: "submit", class: "dk-button dk-main" }, label);
}

function consentScreen(desk, { text: consent, digest }) {
  const agree = submitButton(text("consent.agree"));
  const read = tick(text("consent.read"), () => {
    agree.disabled = !read.box.checked;
  });
  agree.disabled = true;
  const decline = pressable(text("consent.decline"), () => desk.signOut());
  const body = form(read.node, actions(agree, decline));
  body.addEventListener("submit", () => read.box.checked && desk.step("consent", { digest }));
  const reading = make("div", { class: "dk-text", tabindex: "0" }, ...paragraphs(consent));
  return card(text("consent.title"), reading, body);
}

function profileScreen(desk, { frequencies }) {
  const specialty = make("input", { type: "text", maxlength: "80", name: "specialty" });
  const years = make("input", { type: "text", inputmode: "numeric", maxlength: "2", name: "years" });
  const often = make("select", { name: "often" });
  often.append(make("option", { value: "" }, text("profile.choose")));
  const choices = frequencies.map((each) => [each, text(`frequency.${each}`)]);
  often.append(...choices.map(([value, label]) => make("option", { value }, label)));
  const next = submitButton(text("button.continue"));
  const ready = () =>
    specialty.value.trim() !== "" && /^\d+$/.test(years.value.trim()) && often.value !== "";
  const body = form(
    labelled(text("profile.specialty"), specialty, text("profile.specialty.hint")),
    labelled(text("profile.years"), years, text("profile.years.hint")),
    labelled(text("profile.frequency"), often),
    actions(next),
  );
  next.disabled = true;
  body.addEventListener("input", () => {
    next.disabled = !ready();
  });
  body.addEventListener("submit", () => {
    if (!ready()) return;
    desk.step("profile", {
      specialty: specialty.value,
      experience_years: Number(years.value),
      frequency: often.value,
    });
  });
  const why = make("p", { class: "dk-quiet" }, text("profile.why"));
  return card(text("profile.title"), why, body);
}

function questionList(questions) {
  const list = make("dl", { class: "dk-questions" });
  for (const { text: asked, minimum, maximum, anchors, kind, ties } of questions) {
    const ends = anchors.length ? [anchors[0], anchors[anchors.length - 1]] : ["", ""];
    const [first, last] = [`${minimum} ${ends[0]}`, `${maximum} ${ends[1]}`].map((end) => end.trim());
    const scale = text("ready.scale", { first, last });
    const scaled = kind === "likert" || kind === "choice";
    const way = scaled ? scale : kind === "preference" ? text("ready.preference") : text(`kind.${kind}${ties ? ".ties" : ""}`);
    list.append(make("dt", {}, asked), make("dd", {}, way));
  }
  return list;
}

// The last pair of a session can be corrected after the session is over.
function lastAnswer(desk, screen) {
  if (!screen.can_correct) return [];
  return [pressable(text("button.correct_last"), () => desk.correctLast())];
}

function readyScreen(desk, body, screen) {
  const { instructions, pairs, minutes, feedback, attempt, questions, original, stacks } = body;
  const { phase } = screen.progress;
  const training = phase === "training";
  const count = plural("ready.pairs", pairs);
  const timed = minutes ? plural("ready.minutes", minutes, { pairs: count }) : count;
  const about = text(`ready.${phase}`, { pairs: phase === "reading" ? timed : count });
  const again = attempt > 1 ? [make("p", {}, text("ready.attempt", { n: attempt }))] : [];
  const afterwards = training && feedback ? ` ${text("ready.feedback")}` : "";
  const go = submitButton(text(`ready.start_${phase}`));
  const keys = pressable(text("tool.keys"), () => desk.showKeys());
  const beside = original ? [make("p", {}, text("ready.original"))] : [];
  if (stacks) beside.push(make("p", {}, text("ready.stack")));
  const begin = form(actions(go, keys, ...lastAnswer(desk, screen)));
  begin.addEventListener("submit", () => desk.step("start", {}));
  return card(
    text(`phase.${phase}`),
    make("div", { class: "dk-text" }, ...paragraphs(instructions)),
    questionList(questions),
    ...beside,
    ...again,
    make("p", {}, about + afterwards),
    begin,
  );
}

function guessScreen(desk, { groups }, screen) {
  const go = submitButton(text("button.continue"));
  const body = form(actions(go, ...lastAnswer(desk, screen)));
  body.addEventListener("submit", () => desk.attempt(() => desk.openPair(screen, null)));
  return card(
    text("guess.title"),
    make("p", {}, plural("guess.text", screen.progress.total)),
    make("p", { class: "dk-quiet" }, text("guess.answers", { groups: groups.join(", ") })),
    body,
  );
}

function waitScreen(desk, { until }, screen) {
  const opens = new Date(until);
  const when = opens.toLocaleString(words.language, { dateStyle: "full", timeStyle: "short" });
  return card(
    text("wait.title"),
    make("p", {}, text("wait.text", { when })),
    make("p", { class: "dk-quiet" }, text("wait.why")),
    actions(pressable(text("button.sign_out"), () => desk.signOut(), "dk-main"), ...lastAnswer(desk, screen)),
  );
}

function noticeScreen(desk, { text: notice }, screen) {
  const out = pressable(text("button.sign_out"), () => desk.signOut(), "dk-main");
  const buttons = actions(out, ...lastAnswer(desk, screen));
  return card(text(`${screen.kind}.title`), ...paragraphs(notice), buttons);
}
