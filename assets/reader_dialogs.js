// Dialogs: keys, menu, pause, break, withdrawal.

// What is on the key, or the name of a text for it, the name of what it does, and whether that needs
// a pair, several images, stacks or a drawing.
const KEYS = [
  ["", "draw", "drawing"],
  ["D", "place", "drawing"],
  ["", "nudge", "drawing"],
  ["N", "next_point", "drawing"],
  ["E", "close_outline", "drawing"],
  ["U", "undo", "drawing"],
  ["", "clear", "drawing"],
  ["1 2 3 \u2026", "digits"],
  ["\u2190  \u2193  \u2192", "preference", "pair"],
  ["X", "cannot_judge"],
  ["\u2191", "back"],
  ["\u21b5", "enter"],
  ["", "space", "several"],
  ["", "drag"],
  ["", "move"],
  ["", "scroll", "stack"],
  ["", "zoom"],
  ["L  \u21e7 L", "level"],
  ["W  \u21e7 W", "width"],
  ["V", "preset"],
  ["", "reset"],
  ["S", "smooth"],
  ["C", "comment"],
  ["\u232b", "correct"],
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
  const { light, sheet: { cells, root: sheet } } = desk.reading;
  const has = {
    drawing: cells.some((cell) => cell instanceof DrawnCell),
    pair: !sheet.classList.contains("dk-alone") && !sheet.classList.contains("dk-many"),
    several: light.count > 1,
    stack: light.stacked,
  };
  const original = light.plate && light.plate.original;
  for (const [sign, name, needed] of KEYS) {
    if (needed && !has[needed]) continue;
    const key = make("dt", {}, sign || text(has.stack && name === "zoom" ? "keys.zoom.stack.key" : `keys.${name}.key`));
    const what = name === "space" && original ? "keys.space.original" : `keys.${name}`;
    list.append(key, make("dd", {}, text(what)));
  }
  const close = { text: text("button.close"), kind: "dk-main", action() {} };
  openDialog(desk, text("keys.title"), [list], [close]);
}

function menuDialog(desk) {
  const { title, reader, kind } = desk.screen;
  const signedIn = make("p", { class: "dk-quiet" }, text("menu.signed_in", { reader }));
  const stored = make("p", {}, text("menu.stored"));
  const buttons = [
    { text: text("button.close"), kind: "dk-main", action() {} },
    { text: text("button.sign_out"), action: () => desk.signOut() },
  ];
  if (!["withdrawn", "consent"].includes(kind)) {
    buttons.push({ text: text("menu.withdraw"), action: () => withdrawDialog(desk) });
  }
  openDialog(desk, title, [stored, signedIn], buttons);
}

function withdrawDialog(desk) {
  openDialog(desk, text("withdraw.title"), [make("p", {}, text("withdraw.text"))], [
    { text: text("withdraw.stay"), kind: "dk-main", action() {} },
    { text: text("withdraw.go"), action: () => desk.step("withdraw", {}) },
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
    text("pause.title"),
    [make("p", {}, text("pause.text"))],
    [
      { text: text("button.continue"), kind: "dk-main", action() {} },
      { text: text("button.sign_out"), action: () => desk.signOut() },
    ],
    () => reading.cover("pause", false),
  );
}

// Resolves when the dialog is closed.
function breakDialog(desk, minutes) {
  return new Promise((done) => {
    openDialog(
      desk,
      text("break.title"),
      [
        make("p", {}, plural("break.text", minutes)),
        make("p", { class: "dk-quiet" }, text("break.back")),
      ],
      [
        { text: text("break.continue"), kind: "dk-main", action() {} },
        { text: text("button.sign_out"), action: () => desk.signOut() },
      ],
      done,
    );
  });
}
