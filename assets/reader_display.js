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
  node.setAttribute("aria-label", `Patch ${index + 1}: mark if you cannot see both squares`);
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
  const go = submitButton("Continue");
  const looked = tick("I have looked at every patch and marked those in which I cannot see both squares.", show);
  const ends = tick("I see the faint square in the black field and in the white field.", show);
  const room = tick("The room is dim and nothing reflects on the screen.", show);
  const facts = make("p", { class: "dk-quiet dk-facts" });
  const advice = make("p", { class: "dk-advice", role: "status" });
  const fields = Array.from({ length: patches }, (_, i) => patch(i, show));
  const grid = make("div", { class: "dk-patches" }, ...fields);
  const black = endPatch(0, 13, "Black field with a square of 5 %");
  const white = endPatch(255, 242, "White field with a square of 95 %");
  const body = form(looked.node, ends.node, room.node, advice, actions(go));

  const roomy = () => window.innerWidth >= width && window.innerHeight >= height;
  const missed = () => fields.some((field) => field.getAttribute("aria-pressed") === "true");
  const fine = () => !missed() && ends.box.checked && room.box.checked;

  function show() {
    const { innerWidth, innerHeight, devicePixelRatio: ratio, screen } = window;
    putText(
      facts,
      `Window ${innerWidth} \u00d7 ${innerHeight} (at least ${width} \u00d7 ${height}), ` +
        `screen ${screen.width} \u00d7 ${screen.height}, ` +
        `${+ratio.toFixed(2)} screen pixels per page pixel`,
    );
    facts.classList.toggle("dk-warn", !roomy());
    const help = "Raise the brightness, dim the room, look straight at the screen, then try again.";
    const problem = !roomy() ? "Enlarge this window." : failed && !fine() ? help : "";
    putText(advice, problem);
    go.disabled = !roomy() || !looked.box.checked;
    putText(go, failed && !fine() ? "Continue anyway; this is recorded" : "Continue");
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
  const words =
    "Every patch contains two small squares. Click the patches in which you cannot see both of them.";
  return card(
    "Your screen",
    make("p", {}, words),
    make("div", { class: "dk-pattern" }, black, grid, white),
    facts,
    body,
  );
}
