// Mouse, pen and touch on the light box.

// Turn of the wheel for a slice, in CSS pixels: a notch of a mouse is one.
const PER_SLICE = 60;

class Pointers {
  constructor(light, life) {
    this.light = light;
    this.drag = null;
    this.touches = new Map();
    this.turned = 0;
    const on = (type, action, options = {}) =>
      light.grid.addEventListener(type, action, { signal: life.signal, ...options });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
      on(type, (event) => this.up(event));
    }
    on("pointerleave", () => this.at(null));
    on("contextmenu", (event) => event.preventDefault());
    on("dragstart", (event) => event.preventDefault());
    // Two clicks that have drawn two points are no double click.
    on("dblclick", (event) => event.target.closest(".dk-draws") || light.reset());
    on("wheel", (event) => this.wheel(event), { passive: false });
  }

  pointOf(event) {
    const stage = event.target.closest(".rr-stage");
    if (!stage) return null;
    const corner = stage.getBoundingClientRect();
    const x = (event.clientX - corner.left) * this.light.ratio;
    const y = (event.clientY - corner.top) * this.light.ratio;
    return { panel: stage.parentNode.rrPanel, x, y };
  }

  at(point) {
    this.light.pointer = point;
    this.light.redraw();
  }

  down(event) {
    const stage = event.target.closest(".rr-stage");
    if (!stage || !this.light.shown || event.button > 2) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") this.touches.set(event.pointerId, event);
    const { marks } = this.light;
    if (this.touches.size < 2 && marks.down(event, this.pointOf(event))) return;
    const pans = event.button === 1 || (event.button === 0 && event.shiftKey);
    this.drag = { pans, id: event.pointerId, x: event.clientX, y: event.clientY };
    this.light.grid.classList.toggle("dk-pans", pans);
  }

  move(event) {
    if (this.touches.size === 2 && this.touches.has(event.pointerId)) {
      this.pinch(event);
    } else if (this.light.marks.drag) {
      const at = this.pointOf(event);
      if (at) this.light.marks.move(at);
    } else if (this.drag && this.drag.id === event.pointerId) {
      const dx = event.clientX - this.drag.x;
      const dy = event.clientY - this.drag.y;
      this.drag.x = event.clientX;
      this.drag.y = event.clientY;
      if (this.drag.pans) this.light.pan(dx, dy);
      else if (dx || dy) this.light.shape(dy / DRAG_SPAN, 2 ** (dx / DRAG_SPAN));
    }
    this.at(this.pointOf(event));
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (this.light.marks.drag) this.light.marks.up();
    this.drag = null;
    this.light.grid.classList.remove("dk-pans");
  }

  // Two fingers zoom about the point between them, and pan with it.
  pinch(event) {
    const before = [...this.touches.values()];
    this.touches.set(event.pointerId, event);
    const after = [...this.touches.values()];
    const spread = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    const middle = ([a, b], way) => (a[way] + b[way]) / 2;
    this.light.pan(
      middle(after, "clientX") - middle(before, "clientX"),
      middle(after, "clientY") - middle(before, "clientY"),
    );
    const corner = event.target.closest(".rr-stage").getBoundingClientRect();
    const x = (middle(after, "clientX") - corner.left) * this.light.ratio;
    const y = (middle(after, "clientY") - corner.top) * this.light.ratio;
    this.light.zoom(spread(after) / Math.max(spread(before), 1), x, y);
  }

  wheel(event) {
    const at = this.pointOf(event);
    if (!at || !this.light.shown) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    const amount = Math.max(-400, Math.min(event.deltaY * lines, 400));
    if (this.light.stacked && !event.ctrlKey && !event.metaKey) this.scroll(amount);
    else this.light.zoom(2 ** (-amount / 400), at.x, at.y);
  }

  // A touchpad turns in small parts, which add up.
  scroll(amount) {
    if (amount * this.turned < 0) this.turned = 0;
    this.turned += Math.max(-PER_SLICE, Math.min(amount, PER_SLICE));
    const slices = Math.trunc(this.turned / PER_SLICE);
    this.turned -= slices * PER_SLICE;
    if (slices) this.light.scroll(slices);
  }
}
