// The display check: gray patches with squares a little lighter and darker, as in the AAPM's simple
// quality control pattern, the two ends of the scale, and what the browser says of the screen.

const STEP_OF_PATCH = 15;
const CONTRAST = 5;
const CONTRAST_AT_ENDS = 3;

function gray(level) {
  return `background: rgb(${level}, ${level}, ${level})`;
}

// The two squares of a patch: darker and lighter, or both inside the scale at its ends.
function squareLevels(level) {
  if (level === 0) return [CONTRAST_AT_ENDS, CONTRAST_AT_ENDS];
  if (level === 255) return [255 - CONTRAST_AT_ENDS, 255 - CONTRAST_AT_ENDS];
  return [level - CONTRAST, level + CONTRAST];
}

function patch(index, changed) {
  const level = index * STEP_OF_PATCH;
  const node = make("button", { type: "button", class: "dk-patch", style: gray(level) });
  node.setAttribute("aria-pressed", "false");
  node.dataset.mark = text("display.not_seen");
  node.setAttribute("aria-label", text("display.patch", { number: index + 1 }));
  node.append(...squareLevels(level).map((each) => make("i", { style: gray(each) })));
  node.addEventListener("click", () => {
    node.setAttribute("aria-pressed", String(node.getAttribute("aria-pressed") !== "true"));
    changed();
  });
  return node;
}

function endPatch(outer, inner, name) {
  const node = make("div", { class: "dk-end", style: gray(outer), role: "img", "aria-label": name });
  node.append(make("i", { style: gray(inner) }));
  return node;
}

function displayScreen(desk, { least_width: width, least_height: height, patches, failed }) {
  const go = submitButton(text("button.continue"));
  const looked = tick(text("display.looked"), show);
  const ends = tick(text("display.ends"), show);
  const room = tick(text("display.room"), show);
  const facts = make("p", { class: "dk-quiet dk-facts" });
  const advice = make("p", { class: "dk-advice", role: "status" });
  const fields = Array.from({ length: patches }, (_, i) => patch(i, show));
  const grid = make("div", { class: "dk-patches" }, ...fields);
  const black = endPatch(0, 13, text("display.black"));
  const white = endPatch(255, 242, text("display.white"));
  const body = form(looked.node, ends.node, room.node, advice, actions(go));

  const roomy = () => window.innerWidth >= width && window.innerHeight >= height;
  const missed = () => fields.some((field) => field.getAttribute("aria-pressed") === "true");
  const fine = () => !missed() && ends.box.checked && room.box.checked;

  function show() {
    const { innerWidth: wide, innerHeight: high, devicePixelRatio: ratio, screen } = window;
    const sizes = { wide, high, width, height, ratio: +ratio.toFixed(2) };
    const { width: screen_width, height: screen_height } = screen;
    putText(facts, text("display.facts", { ...sizes, screen_width, screen_height }));
    facts.classList.toggle("dk-warn", !roomy());
    const problem = !roomy() ? "display.enlarge" : failed && !fine() ? "display.help" : "";
    putText(advice, problem && text(problem));
    go.disabled = !roomy() || !looked.box.checked;
    putText(go, text(failed && !fine() ? "display.anyway" : "button.continue"));
  }

  body.addEventListener("submit", () => {
    if (go.disabled) return;
    desk.step("display", {
      seen: fields.map((field) => field.getAttribute("aria-pressed") !== "true"),
      ends_seen: ends.box.checked,
      dim_room: room.box.checked,
      width: window.innerWidth,
      height: window.innerHeight,
      screen_width: screen.width,
      screen_height: screen.height,
      colour_depth: screen.colorDepth,
      ratio: window.devicePixelRatio,
      carry_on: failed && !fine(),
    });
  });
  desk.whileShown(window, "resize", show);
  show();
  return card(
    text("display.title"),
    make("p", {}, text("display.text")),
    make("div", { class: "dk-pattern" }, black, grid, white),
    facts,
    body,
  );
}
