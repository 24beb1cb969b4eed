// Requests to the server: JSON with a header that other sites cannot send; nothing is cached.

const PAGE = new URL(location.pathname.replace(/\/?$/, "/"), location.origin);

// The texts of the page in the language of the study.
const words = { language: "en", texts: {} };

function text(key, values = {}) {
  const found = words.texts[key] || key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// The form of a text for a number, such as "1 pair" and "2 pairs".
function plural(key, n, values = {}) {
  const form = `${key}.${new Intl.PluralRules(words.language).select(n)}`;
  return text(form in words.texts ? form : `${key}.other`, { n, ...values });
}

async function loadTexts() {
  Object.assign(words, await api("texts"));
  document.documentElement.lang = words.language;
  document.title = text("page.title");
}

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  // The server has moved on: the page has to show its state instead.
  get stale() {
    const codes = ["already_answered", "not_yours", "wrong_screen", "not_open", "image_lost"];
    return codes.includes(this.code);
  }
}

// The window in four sizes: a change within one does not ask for another display check.
const SIZE_CLASSES = [[900, "narrow"], [1400, "medium"], [2000, "wide"], [Infinity, "huge"]];

// What a display check holds for; the server compares it as a text.
function screenFacts() {
  const size = SIZE_CLASSES.find(([limit]) => window.innerWidth < limit)[1];
  const ratio = +window.devicePixelRatio.toFixed(2);
  return `${screen.width}x${screen.height}@${ratio} ${size}`;
}

async function send(path, options) {
  try {
    return await fetch(new URL(path, PAGE), { cache: "no-store", ...options });
  } catch {
    throw new Refusal("offline", text("lost.text"));
  }
}

// GET without a body, POST with one.
async function api(name, body) {
  const headers = {
    "X-Reading-Room": "1",
    "X-Reading-Display": screenFacts(),
    "Content-Type": "application/json",
  };
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  const answer = await send(`api/${name}`, { headers, ...options });
  if (answer.status === 401) return leave();
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const { code = "offline", event } = found.error || {};
  throw new Refusal(code, text(code === "offline" ? "lost.text" : `error.${code}`, { event }));
}

// Never resolves: the page is about to be replaced.
function leave() {
  location.replace(new URL("login", PAGE));
  return new Promise(() => {});
}

// The pixels of a pair. All images come in one answer with all their slices, so that none can be
// earlier than another; `share` is how much of it has come.
class Pixels {
  constructor(ticket) {
    this.ticket = ticket;
    this.share = 0;
    this.buffer = ticket ? this.take() : null;
    // A failure is reported when the pixels are needed.
    if (ticket) this.buffer.catch(() => {});
  }

  async take() {
    const answer = await send(`pixels/${this.ticket}`, {});
    if (!answer.ok) throw new Refusal("ticket", text("error.ticket"));
    try {
      return await this.read(answer);
    } catch {
      throw new Refusal("offline", text("lost.text"));
    }
  }

  async read(answer) {
    const length = Number(answer.headers.get("Content-Length")) || Infinity;
    const reader = answer.body.getReader();
    const parts = [];
    let done = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      done += part.value.length;
      this.share = Math.min(done / length, 1);
    }
    return new Blob(parts).arrayBuffer();
  }
}

// At most one pair is fetched ahead of its turn.
let ahead = new Pixels("");

function prefetch(ticket) {
  ahead = new Pixels(ticket);
}

function pixelsOf({ ticket }) {
  return ticket === ahead.ticket ? ahead : new Pixels(ticket);
}

// The values of each image: one, or the left and the right one, then the unenhanced one. Those of a
// stack are its slices one after another.
function imagesOf(buffer, { width, height, channels, slices, images, original }) {
  const length = slices * width * height * channels;
  const count = original ? images + 1 : images;
  if (buffer.byteLength !== 2 * count * length) throw new Refusal("offline", text("lost.text"));
  return Array.from({ length: count }, (_, i) => new Uint16Array(buffer, 2 * i * length, length));
}

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
