// The limits of a custom window: committed when the focus leaves both fields or Enter is pressed, so
// that half a window is never used, and not rewritten while one of them has the focus.
const low = element.querySelector('[name="low"]');
const high = element.querySelector('[name="high"]');
let committed = { low: "", high: "" };

function show() {
  const value = props.value;
  if (!value) return;
  element.querySelectorAll(".units").forEach((node) => { node.textContent = `(${value.units})`; });
  if (element.contains(document.activeElement)) return;
  committed = { low: value.low, high: value.high };
  low.value = value.low;
  high.value = value.high;
}

function commit() {
  if (low.value === committed.low && high.value === committed.high) return;
  committed = { low: low.value, high: high.value };
  trigger("commit", committed);
}

element.addEventListener("focusout", (event) => {
  if (!element.contains(event.relatedTarget)) commit();
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) commit();
});
watch("value", show);
show();
