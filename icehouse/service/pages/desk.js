// What is asked of the server. An answer is kept here until the server has said that it is saved, and
// is sent again as it is: the server knows it by its token.

const WAITS = [500, 1000, 2000, 4000, 8000];
const KEPT = [401, 403, 408, 429]; // what may be let in later is no reason to lose an answer

export class Refused extends Error {}

export class Desk {
  // changed(waiting, tries) is told what is not saved yet; each page keeps that under its own name.
  constructor(changed, page = "outbox") {
    this.changed = changed;
    this.page = page;
    const given = new URLSearchParams(location.search).get("token");
    if (given) {
      sessionStorage.setItem("icehouse-token", given);
      history.replaceState(null, "", location.pathname);
    }
    this.token = sessionStorage.getItem("icehouse-token");
    this.name = localStorage.getItem("icehouse-name") || "";
    this.outbox = [];
    this.sending = false;
    this.tries = 0;
    this.pictures = new Map();
  }

  headers(type = "application/json") {
    const headers = { "Content-Type": type };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (this.name) headers["X-Reviewer"] = encodeURIComponent(this.name);
    return headers;
  }

  // What is sent is JSON; or a form; or a file, of which the server finds out itself what it is.
  async call(path, body) {
    const file = body instanceof Blob, form = body instanceof FormData;
    const options = { headers: this.headers(file ? "application/octet-stream" : undefined) };
    if (form) delete options.headers["Content-Type"];
    if (body !== undefined) Object.assign(options, { method: "POST", body: file || form ? body : JSON.stringify(body) });
    const response = await fetch(path, options).catch(() => { throw new Error("the server does not answer"); });
    if (response.ok) {
      const type = response.headers.get("Content-Type");
      if (type.startsWith("image/")) return response.blob();
      return type === "application/octet-stream" ? response.arrayBuffer() : response.json();
    }
    const said = await response.json().catch(() => ({}));
    const words = response.status === 401 ? "open this page by the link that you were given, with your token in it: …/?token=TOKEN"
      : typeof said.detail === "string" ? said.detail : `the server answers ${response.status}`;
    if (response.status >= 500 || KEPT.includes(response.status))
      throw Object.assign(new Error(words), { status: response.status });
    throw new Refused(words);
  }

  async open() {
    this.about = await this.call("v1/review");
    this.key = `icehouse-${this.page}-${this.about.task}-${this.about.queue}`;
    this.outbox = JSON.parse(localStorage.getItem(this.key) || "[]");
    this.changed(this.outbox.length, 0);
    return this.about;
  }

  // Answers and their undoing leave in the order in which they were made.
  send(step) {
    this.outbox.push(step);
    this.keep();
    this.flush();
  }

  keep() {
    localStorage.setItem(this.key, JSON.stringify(this.outbox));
    this.changed(this.outbox.length, this.tries);
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    while (this.outbox.length) {
      const step = this.outbox[0];
      try {
        const said = await this.call(step.path, step.body);
        this.tries = 0;
        this.outbox.shift();
        this.keep();
        if (this.saved) this.saved(step, said);
      } catch (error) {
        if (error instanceof Refused) {
          this.outbox.shift();
          const answers = step.body.answers || [];
          // Of many, one that cannot be recorded must not take the others with it.
          if (answers.length > 1)
            this.outbox.unshift(...answers.map((one) => ({ path: step.path, body: { answers: [one] } })));
          this.keep();
          if (answers.length <= 1 && this.refused) this.refused(step, error.message);
          continue;
        }
        this.tries += 1;
        this.changed(this.outbox.length, this.tries);
        await new Promise((done) => setTimeout(done, WAITS[Math.min(this.tries, WAITS.length) - 1]));
      }
    }
    this.sending = false;
    this.changed(0, 0);
  }

  // A picture as the address of bytes that are here: it is shown without waiting.
  picture(image, size) {
    const path = `v1/images/${image}/picture?size=${size}`;
    if (!this.pictures.has(path)) {
      const coming = fetch(path, { headers: this.headers() })
        .then((response) => (response.ok ? response.blob() : Promise.reject(new Error("no picture"))))
        .then((blob) => URL.createObjectURL(blob));
      coming.catch(() => this.pictures.delete(path));
      this.pictures.set(path, coming);
      if (this.pictures.size > 400) {
        const [old, address] = this.pictures.entries().next().value;
        this.pictures.delete(old);
        address.then((text) => URL.revokeObjectURL(text), () => {});
      }
    }
    return this.pictures.get(path);
  }

  // Of an image that is not to be shown again nothing is kept.
  release(image) {
    for (const [path, address] of this.pictures) {
      if (!path.startsWith(`v1/images/${image}/`)) continue;
      this.pictures.delete(path);
      // What is being loaded from it has the time to end.
      address.then((text) => setTimeout(() => URL.revokeObjectURL(text), 5000), () => {});
    }
  }
}

export const token = () => crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
