// Dialogs: keys, menu, pause, break, withdrawal.

const KEYS = [
  ["1 2 3 \u2026", "answer the marked question and mark the next"],
  ["\u2190  \u2193  \u2192", "prefer the left image, neither, the right image"],
  ["X", "cannot judge"],
  ["\u2191", "back to the previous question"],
  ["Enter", "store the answers and go to the next pair"],
  ["Space (hold)", "swap the two images (flicker)"],
  ["Drag", "contrast: right is wider, down is darker"],
  ["Shift drag, Shift arrows", "move; the middle button does too"],
  ["Wheel, +, \u2212", "zoom"],
  ["L, Shift L", "window level up, down"],
  ["W, Shift W", "window width wider, narrower"],
  ["V", "next window preset"],
  ["R, double click", "reset zoom and window"],
  ["S", "smooth enlarged pixels"],
  ["C", "comment; Esc or Enter leaves the field"],
  ["Backspace", "correct the previous pair"],
  ["P", "pause"],
];

// The browser's dialog element keeps the focus inside and closes with Escape.
function openDialog(desk, title, nodes, buttons, closed = () => {}) {
  const dialog = make("dialog", { class: "dk-dialog", "aria-label": title });
  const close = (button) => () => {
    dialog.close();
    button.action();
  };
  const row = buttons.map((each) => pressable(each.text, close(each), each.kind));
  dialog.append(make("h2", {}, title), ...nodes, actions(...row));
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  desk.root.append(dialog);
  dialog.showModal();
  const main = row.find((button) => button.classList.contains("dk-main"));
  if (main) main.focus();
}

function keysDialog(desk) {
  const list = make("dl", { class: "dk-keys" });
  for (const [keys, what] of KEYS) list.append(make("dt", {}, keys), make("dd", {}, what));
  openDialog(desk, "Keys and mouse", [list], [{ text: "Close", kind: "dk-main", action() {} }]);
}

function menuDialog(desk) {
  const { title, reader, kind } = desk.screen;
  const signedIn = make("p", { class: "dk-quiet" }, `Signed in as ${reader}.`);
  const stored = make("p", {}, "Every answer is stored when you press Enter. You may sign out now.");
  const buttons = [
    { text: "Close", kind: "dk-main", action() {} },
    { text: "Sign out", action: () => desk.signOut() },
  ];
  if (!["withdrawn", "consent"].includes(kind)) {
    buttons.push({ text: "Withdraw from the study", action: () => withdrawDialog(desk) });
  }
  openDialog(desk, title, [stored, signedIn], buttons);
}

function withdrawDialog(desk) {
  const text = "Your answers will be left out of every analysis, and you cannot continue reading.";
  openDialog(desk, "Withdraw from the study?", [make("p", {}, text)], [
    { text: "Stay in the study", kind: "dk-main", action() {} },
    { text: "Withdraw", action: () => desk.step("withdraw", {}) },
  ]);
}

function pauseDialog(desk) {
  const { reading } = desk;
  if (!reading.pair || reading.busy) return;
  reading.cover("pause", true);
  const { token } = reading.pair;
  api("pause", { token, at_ms: reading.watch.read() }).catch(() => {});
  openDialog(
    desk,
    "Paused",
    [make("p", {}, "The images are hidden and the clock is stopped. Your answers are kept on this page.")],
    [
      { text: "Continue", kind: "dk-main", action() {} },
      { text: "Sign out", action: () => desk.signOut() },
    ],
    () => reading.cover("pause", false),
  );
}

// Resolves when the dialog is closed.
function breakDialog(desk, minutes) {
  return new Promise((done) => {
    const text = `You have been reading for ${minutes} minutes. A short break rests the eyes.`;
    openDialog(
      desk,
      "Time for a break?",
      [make("p", {}, text), make("p", { class: "dk-quiet" }, "Come back whenever you are ready.")],
      [
        { text: "Continue reading", kind: "dk-main", action() {} },
        { text: "Sign out", action: () => desk.signOut() },
      ],
      done,
    );
  });
}
