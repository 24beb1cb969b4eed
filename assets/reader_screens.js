// The screens without images: consent, profile, before a session, waiting, the end.

const PHASES = { training: "Training", reading: "Reading" };

function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => make("p", {}, part.trim()));
}

function card(title, ...nodes) {
  return make("section", { class: "dk-card" }, make("h1", {}, title), ...nodes);
}

function pressable(text, action, kind = "") {
  const node = make("button", { type: "button", class: `dk-button ${kind}`.trim() }, text);
  node.addEventListener("click", action);
  return node;
}

function actions(...buttons) {
  return make("div", { class: "dk-actions" }, ...buttons);
}

function tick(text, changed) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", changed);
  return { box, node: make("label", { class: "dk-tick" }, box, make("span", {}, text)) };
}

function labelled(text, input, hint = "") {
  const words = [make("span", {}, text)];
  if (hint) words.push(make("small", {}, hint));
  return make("label", { class: "dk-field" }, make("span", { class: "dk-words" }, ...words), input);
}

// A form that is submitted by script alone, by its button or by Enter.
function form(...nodes) {
  const node = make("form", { class: "dk-form", novalidate: "", autocomplete: "off" }, ...nodes);
  node.addEventListener("submit", (event) => event.preventDefault());
  return node;
}

function submitButton(text) {
  return make("button", { type: "submit", class: "dk-button dk-main" }, text);
}

function consentScreen(desk, { text, digest }) {
  const agree = submitButton("I agree");
  const read = tick("I have read this and agree to take part.", () => {
    agree.disabled = !read.box.checked;
  });
  agree.disabled = true;
  const decline = pressable("I do not take part", () => desk.signOut());
  const body = form(read.node, actions(agree, decline));
  body.addEventListener("submit", () => read.box.checked && desk.step("consent", { digest }));
  const reading = make("div", { class: "dk-text", tabindex: "0" }, ...paragraphs(text));
  return card("Taking part", reading, body);
}

function profileScreen(desk, { frequencies }) {
  const specialty = make("input", { type: "text", maxlength: "80", name: "specialty" });
  const years = make("input", { type: "text", inputmode: "numeric", maxlength: "2", name: "years" });
  const often = make("select", { name: "often" });
  often.append(make("option", { value: "" }, "Choose"));
  often.append(...frequencies.map((each) => make("option", { value: each }, each)));
  const next = submitButton("Continue");
  const ready = () =>
    specialty.value.trim() !== "" && /^\d+$/.test(years.value.trim()) && often.value !== "";
  const body = form(
    labelled("Specialty", specialty, "such as radiology, or resident in cardiology"),
    labelled("Years of experience", years, "with images of this kind"),
    labelled("You read such images", often),
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
  const why = "Reports describe who read, without names. These three answers are all that is asked.";
  return card("About you", make("p", { class: "dk-quiet" }, why), body);
}

function questionList(questions) {
  const list = make("dl", { class: "dk-questions" });
  for (const { text, minimum, maximum, anchors, kind } of questions) {
    const ends = anchors.length ? [anchors[0], anchors[anchors.length - 1]] : ["", ""];
    const scale = [`${minimum} ${ends[0]}`, `${maximum} ${ends[1]}`].map((end) => end.trim());
    const way = kind === "preference" ? "left, right, or no preference" : scale.join(" to ");
    list.append(make("dt", {}, text), make("dd", {}, way));
  }
  return list;
}

// The last pair of a session can be corrected after the session is over.
function lastAnswer(desk, screen) {
  if (!screen.can_correct) return [];
  return [pressable("Correct the last answer", () => desk.correctLast())];
}

function readyScreen(desk, { instructions, pairs, minutes, feedback, questions }, screen) {
  const { phase } = screen.progress;
  const training = phase === "training";
  const count = `${pairs} pair${pairs === 1 ? "" : "s"}`;
  const about = minutes ? `, about ${minutes} minute${minutes === 1 ? "" : "s"}` : "";
  const text = training
    ? `${count} to get used to the task; these answers are not analysed.`
    : `${count}${about}. You may pause at any time; every answer is stored at once.`;
  const afterwards = " After each pair you see what its images were.";
  const go = submitButton(training ? "Start the training" : "Start reading");
  const keys = pressable("Keys", () => desk.showKeys());
  const body = form(actions(go, keys, ...lastAnswer(desk, screen)));
  body.addEventListener("submit", () => desk.step("start", {}));
  return card(
    PHASES[phase],
    make("div", { class: "dk-text" }, ...paragraphs(instructions)),
    questionList(questions),
    make("p", {}, text + (training && feedback ? afterwards : "")),
    body,
  );
}

function guessScreen(desk, { groups }, screen) {
  const go = submitButton("Continue");
  const body = form(actions(go, ...lastAnswer(desk, screen)));
  body.addEventListener("submit", () => desk.attempt(() => desk.openPair(screen, null)));
  const count = screen.progress.total;
  const pairs = `${count} pair${count === 1 ? "" : "s"}`;
  return card(
    "Last questions",
    make("p", {}, `All ratings are done. For ${pairs} you are now asked how each image was made.`),
    make("p", { class: "dk-quiet" }, `The possible answers are: ${groups.join(", ")}, or “do not know”.`),
    body,
  );
}

function waitScreen(desk, { until }, screen) {
  const opens = new Date(until);
  const when = opens.toLocaleString([], { dateStyle: "full", timeStyle: "short" });
  return card(
    "The next session opens later",
    make("p", {}, `Come back on ${when} or after. Your answers so far are stored.`),
    make("p", { class: "dk-quiet" }, "The time between the sessions is part of the study."),
    actions(pressable("Sign out", () => desk.signOut(), "dk-main"), ...lastAnswer(desk, screen)),
  );
}

function noticeScreen(desk, { text }, screen) {
  const titles = { done: "Thank you", withdrawn: "You have withdrawn", closed: "Not open" };
  const out = pressable("Sign out", () => desk.signOut(), "dk-main");
  const buttons = actions(out, ...lastAnswer(desk, screen));
  return card(titles[screen.kind], ...paragraphs(text), buttons);
}
