// The light box: one to six images on black, with one window, one zoom, one position and, of stacks,
// one slice for all.
// The unenhanced image, where it is shown, is a panel more: left of one image, between two.

const DRAG_SPAN = 420;
const SWAP_EVERY = 500;
// Height of the name above an image, in CSS pixels.
const HEAD = 24;
// No image of a pair ends with its window.
const WHOLE = { table: windowTable(0, U16_MAX), cut: [false, false] };

class LightBox {
  // `noted(kind, payload)` is called for everything the reader does with the images.
  constructor(noted) {
    this.noted = noted;
    this.plate = null;
    this.shown = false;
    this.smooth = false;
    // By how many panels the images are moved on.
    this.shift = 0;
    // Of the panels that are shown.
    this.count = 2;
    this.ratio = 1;
    this.stage = { width: 1, height: 1 };
    this.pointer = null;
    this.frame = 0;
    this.noting = {};
    // Those that are shown; they are made when they are needed.
    this.panels = [0, 1].map((place) => this.makePanel(imageName(place, 2)));
    this.grid = make("div", { class: "dk-images", role: "group", "aria-label": text("image.group") });
    this.grid.append(...this.panels.map((panel) => panel.root));
    this.makeRail();
    this.slice = 0;
    this.view = { ...HOME };
    this.levels = [0, U16_MAX];
    this.look = WHOLE;
    this.preset = 0;
    this.changed = () => {};
    new ResizeObserver(() => this.arrange()).observe(this.grid);
  }

  makePanel(name) {
    const panel = new PanelView(() => this.redraw());
    panel.name = name;
    panel.root.removeAttribute("tabindex");
    panel.root.setAttribute("aria-label", name);
    panel.canvas.setAttribute("aria-label", name);
    putText(panel.label, name);
    for (const unused of [panel.note, panel.badge, panel.bar]) unused.remove();
    return panel;
  }

  // The slider of a stack, at the right of the images.
  makeRail() {
    const facts = { type: "range", min: "1", step: "1", "aria-orientation": "vertical" };
    this.slider = make("input", { ...facts, "aria-label": text("image.slice") });
    this.slider.addEventListener("input", () => {
      this.goTo(Number(this.slider.value) - 1);
      // Covered images stay where they are.
      this.showSlice();
    });
    // The same way as without the focus, and one slice.
    this.slider.addEventListener("keydown", (event) => {
      if (!PAGES[event.key]) return;
      event.preventDefault();
      this.scroll(PAGES[event.key]);
    });
    // Give the keyboard back to the images.
    this.slider.addEventListener("pointerup", () => this.slider.blur());
    this.rail = make("div", { class: "dk-rail", hidden: "" }, this.slider);
  }

  get stacked() {
    return Boolean(this.plate && this.plate.slices > 1);
  }

  // All images become visible in the same frame, with the window, position and middle of the case.
  show(plate, images) {
    const { width, height, channels, slices } = plate;
    this.layPanels(plate);
    this.plate = plate;
    this.slice = Math.floor(slices / 2);
    this.layRail(slices);
    images.forEach((values, i) => {
      const panel = this.panels[i];
      panel.stack = values;
      panel.image = panel.decode(this.sliceOf(values), { token: "", width, height, channels });
    });
    this.shown = true;
    this.shift = 0;
    this.reset(false);
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }

  layPanels({ images, original }) {
    const count = original ? images + 1 : images;
    while (this.panels.length < count) {
      const panel = this.makePanel("");
      this.panels.push(panel);
      this.grid.append(panel.root);
    }
    this.panels.forEach((panel, i) => {
      panel.root.hidden = i >= count;
      panel.name = i < images ? imageName(i, images) : text("image.original");
      panel.root.classList.toggle("dk-original", i >= images);
      panel.root.setAttribute("aria-label", panel.name);
      panel.canvas.setAttribute("aria-label", panel.name);
    });
    this.grid.classList.toggle("dk-many", images > 2);
    this.count = count;
    const laid = `${images} ${original}`;
    if (laid === this.laid) return;
    this.laid = laid;
    const order = original ? [...Array(images - 1).keys(), images, images - 1] : [...Array(count).keys()];
    this.grid.prepend(...order.map((i) => this.panels[i].root));
  }

  // The fewest columns that make the images largest; fewer images than are ranked are in one row.
  layColumns() {
    const { count: images } = this;
    const ranked = this.plate && this.plate.images > 2;
    const { clientWidth: wide, clientHeight: high } = this.grid;
    const { width, height } = this.box();
    const scale = (columns) =>
      Math.min(wide / columns / width, (high / Math.ceil(images / columns) - HEAD) / height);
    const choices = Array.from({ length: images }, (_, i) => images - i);
    const best = !ranked ? images : choices.reduce((a, b) => (scale(b) >= scale(a) ? b : a));
    this.grid.style.gridTemplateColumns = `repeat(${best}, minmax(0, 1fr))`;
  }

  layRail(slices) {
    this.rail.hidden = slices < 2;
    this.grid.classList.toggle("dk-stacked", slices > 1);
    this.slider.max = String(slices);
    this.showSlice();
  }

  sliceOf(values) {
    const { width, height, channels } = this.plate;
    const length = width * height * channels;
    return values.subarray(this.slice * length, (this.slice + 1) * length);
  }

  // Shows a slice of every image, counted from 0; window, zoom and position stay.
  goTo(slice) {
    if (!this.stacked || !this.shown) return;
    const next = Math.min(Math.max(slice, 0), this.plate.slices - 1);
    if (next === this.slice) return;
    this.slice = next;
    for (const panel of this.panels.slice(0, this.count)) {
      panel.image.values = this.sliceOf(panel.stack);
      panel.image.look = null;
    }
    this.showSlice();
    this.note("scroll", () => String(this.slice + 1));
    this.redraw();
  }

  scroll(by) {
    this.goTo(this.slice + by);
  }

  get place() {
    return this.stacked ? `${this.slice + 1} / ${this.plate.slices}` : "";
  }

  showSlice() {
    this.slider.value = String(this.slice + 1);
    this.slider.setAttribute("aria-valuetext", this.place);
    for (const panel of this.panels) putText(panel.caption, this.place);
  }

  clear() {
    this.plate = null;
    this.shown = false;
    this.swap(false);
    for (const panel of this.panels) {
      panel.image = null;
      panel.stack = null;
    }
    this.redraw();
  }

  // Hides the images without losing them.
  cover(covered) {
    this.shown = !covered && this.plate !== null;
    this.redraw();
  }

  box() {
    const { width, height, aspect, spacing } = this.plate || { width: 1, height: 1 };
    const [down, across] = aspect || spacing || [1, 1];
    return { width, height: (height * down) / across };
  }

  scale() {
    return fitScale(this.stage, this.box()) * this.view.zoom;
  }

  setView(view) {
    this.view = clampView(view, this.stage, this.box());
    this.redraw();
  }

  zoom(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    this.setView(zoomAbout(this.view, this.stage, this.box(), factor, x, y));
    this.note("zoom", () => this.scale().toFixed(3));
  }

  pan(dx, dy) {
    const [across, down] = [dx * this.ratio, dy * this.ratio];
    this.setView(panBy(this.view, this.stage, this.box(), across, down));
    this.note("pan", () => `${this.view.cx.toFixed(3)} ${this.view.cy.toFixed(3)}`);
  }

  setLevels(low, high, preset = -1) {
    const first = Math.round(Math.min(Math.max(low, -4 * U16_MAX), 5 * U16_MAX));
    const last = Math.round(Math.min(Math.max(high, -4 * U16_MAX), 5 * U16_MAX));
    this.levels = [first, Math.max(first + 1, last)];
    this.look = { ...WHOLE, table: windowTable(...this.levels) };
    this.preset = preset;
    this.redraw();
  }

  shape(shift, stretch) {
    if (!this.plate) return;
    const [low, high] = this.levels;
    const width = Math.max((high - low) * stretch, 8);
    const centre = (low + high) / 2 + shift * (high - low);
    this.setLevels(centre - width / 2, centre + width / 2);
    this.note("window", () => this.levels.join(" "));
  }

  usePreset(index) {
    const preset = this.plate && this.plate.presets[index];
    if (!preset) return;
    this.setLevels(...preset.levels, index);
    this.note("window", () => [...preset.levels, preset.label].join(" "));
  }

  nextPreset() {
    if (this.plate) this.usePreset((this.preset + 1) % this.plate.presets.length);
  }

  reset(noted = true) {
    if (!this.plate) return;
    this.view = { ...HOME };
    this.setLevels(...this.plate.presets[0].levels, 0);
    this.arrange();
    if (noted) this.noted("reset", "");
  }

  // Swaps the two images, or moves each to the next panel; while the key is held they go on.
  swap(on) {
    clearInterval(this.turns);
    if (on && (!this.shown || this.count === 1)) return;
    if (on && !this.shift) this.noted("flicker", "");
    this.shift = on ? 1 : 0;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (on && !still) {
      this.turns = setInterval(() => {
        this.shift = (this.shift + 1) % this.count;
        this.redraw();
      }, SWAP_EVERY);
    }
    this.redraw();
  }

  // Only the end of a movement is recorded, not its hundreds of steps.
  note(kind, payload) {
    clearTimeout(this.noting[kind]);
    this.noting[kind] = setTimeout(() => this.plate && this.noted(kind, payload()), 400);
  }

  arrange() {
    this.layColumns();
    const { clientWidth: width, clientHeight: height } = this.panels[0].stage;
    if (!width || !height) return;
    this.ratio = window.devicePixelRatio || 1;
    this.stage = {
      width: Math.max(1, Math.round(width * this.ratio)),
      height: Math.max(1, Math.round(height * this.ratio)),
    };
    this.setView(this.view);
  }

  redraw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.render());
  }

  // A point of the stage in device pixels, as a point in pixels of the image, and back.
  toImage(x, y) {
    const place = placement(this.view, this.stage, this.box());
    const { width, height } = this.plate;
    return [((x - place.x) / place.width) * width, ((y - place.y) / place.height) * height];
  }

  toStage([x, y]) {
    const place = placement(this.view, this.stage, this.box());
    const { width, height } = this.plate;
    return [place.x + (x / width) * place.width, place.y + (y / height) * place.height];
  }

  isInside([x, y]) {
    return x >= 0 && y >= 0 && x <= this.plate.width && y <= this.plate.height;
  }

  inside([x, y]) {
    const { width, height } = this.plate;
    return [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
  }

  // The point of the image in the middle of the stage.
  middle() {
    const { width, height } = this.plate;
    return [Math.round(this.view.cx * width) + 0.5, Math.round(this.view.cy * height) + 0.5];
  }

  render() {
    this.frame = 0;
    const place = placement(this.view, this.stage, this.box());
    const { count } = this;
    this.panels.forEach((panel, i) => {
      const source = i < count ? this.panels[(i + this.shift) % count] : panel;
      const image = this.shown ? source.image : null;
      if (image) source.paint(this.look);
      panel.draw(image, this.stage, place, this.smooth);
      putText(panel.label, source.name);
      panel.root.classList.toggle("dk-swapped", this.shift > 0);
      this.showScaleBar(panel, image);
      this.showReading(panel, source, image, place);
    });
    if (this.marks) this.marks.render();
    this.changed();
  }

  showScaleBar(panel, image) {
    const spacing = image && this.plate.spacing;
    panel.scale.hidden = !spacing;
    if (!spacing) return;
    const perPixel = spacing[1] / (this.scale() / this.ratio);
    const length = niceLength(110 * perPixel);
    panel.scaleLine.style.width = `${length / perPixel}px`;
    putText(panel.scaleText, length >= 10 ? `${length / 10} cm` : `${+length.toPrecision(1)} mm`);
  }

  showReading(panel, source, image, place) {
    const at = image && this.pointer;
    const found =
      at && source.sample(image, (at.x - place.x) / place.width, (at.y - place.y) / place.height);
    putText(panel.read, found ? this.readingText(found) : "");
    panel.cross.hidden = !found || at.panel === panel;
    if (!panel.cross.hidden) {
      const [x, y] = [at.x / this.ratio, at.y / this.ratio];
      panel.cross.style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  readingText({ levels, column, row }) {
    const { window: [low, high], grid, units } = this.plate;
    const digits = readingDigits(Math.abs(high - low), units, grid);
    const number = (level) =>
      formatNumber(onGrid(low + (level / U16_MAX) * (high - low), grid), digits);
    const where = `(${column}, ${row})`;
    if (levels.length === 1) return `${number(levels[0])} ${units}\u2002${where}`;
    return `R ${number(levels[0])}  G ${number(levels[1])}  B ${number(levels[2])}\u2002${where}`;
  }
}

// A value between two gray levels of the case would tell a computed image from an original.
function onGrid(value, grid) {
  if (!grid) return value;
  const [origin, step] = grid;
  return origin + Math.round((value - origin) / step) * step;
}

// Studies of earlier versions have no grid: most originals are whole numbers.
function readingDigits(span, units, grid) {
  if (!grid) return span >= 100 ? 0 : digitsFor(span, units);
  return Math.min(digitsFor(span, units), Math.max(...grid.map(decimalsOf)));
}

function decimalsOf(number) {
  let digits = 0;
  while (digits < 4 && Math.abs(number - Number(number.toFixed(digits))) > 1e-6) digits += 1;
  return digits;
}
