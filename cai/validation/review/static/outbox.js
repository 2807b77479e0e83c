// Answers on their way to the server. They are kept in the browser until the server has stored
// them, so that neither a reload nor a crash of either side loses one.
//
// Each action has an entry of its own in localStorage: several tabs may add and remove entries at
// once. A tab sends whatever is there in order; the server stores an action once.

import { postJson } from "/static/net.js";

const MOST = 20;
const MOST_CHARACTERS = 12_000; // at most 4 bytes each, which stays below the server's 64 KB
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 5_000;
const FINAL = new Set([400, 403, 409, 413, 422]); // asking again at once would not help

export function newId() {
  if (crypto.randomUUID) {
    return crypto.randomUUID();
  }
  // Browsers offer it on https and on this machine alone; the server may be reached over http.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export class Outbox {
  // `changed` is called with the state whenever it changes, `stored` with each reply.
  constructor(prefix, { changed, stored }) {
    this.prefix = `${prefix}:out:`;
    this.refusedPrefix = `${prefix}:refused:`;
    this.changed = changed;
    this.stored = stored;
    this.memory = new Map(); // where storage is switched off
    this.counter = 0;
    this.last = 0;
    this.sending = false;
    this.wait = FIRST_WAIT_MS;
    this.problem = "";
    this.timer = 0;
    addEventListener("online", () => this.send());
  }

  add(action) {
    // Fixed widths, so that the order of the names is the order of the answers.
    this.last = Math.max(this.last, Date.now()); // clocks are set back at times
    const time = String(this.last).padStart(15, "0");
    const place = String(this.counter++).padStart(6, "0");
    this.#put(`${this.prefix}${time}:${place}:${action.action_id}`, action);
    this.#tell();
    this.send();
  }

  get pending() {
    return this.#names().length;
  }

  // Resolves when everything was stored or refused.
  async settled() {
    while (this.pending) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  // What was refused is tried once more after a reload; the server may know better by now.
  reconsider() {
    for (const name of this.#list(this.refusedPrefix)) {
      const { action } = JSON.parse(this.#read(name));
      this.#put(this.prefix + name.slice(this.refusedPrefix.length), action);
      this.#remove(name);
    }
  }

  async send() {
    if (this.sending) {
      return;
    }
    clearTimeout(this.timer);
    this.sending = true;
    let most = MOST;
    try {
      for (let batch = this.#batch(most); batch.length; batch = this.#batch(most)) {
        try {
          const reply = await postJson("/api/actions", { actions: batch.map(([, a]) => a) });
          batch.forEach(([name]) => this.#remove(name));
          this.stored(reply);
        } catch (error) {
          if (!FINAL.has(error.status)) {
            throw error;
          }
          if (batch.length === 1) {
            this.#refuse(batch[0], error.message);
          }
          most = 1; // find the one that is to blame
        }
        this.#well();
      }
    } catch (error) {
      this.problem = error.status === 0 ? "retrying" : error.message;
      this.timer = setTimeout(() => this.send(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    } finally {
      this.sending = false;
      this.#tell();
    }
  }

  #well() {
    this.problem = "";
    this.wait = FIRST_WAIT_MS;
    this.#tell();
  }

  #tell() {
    this.changed({ pending: this.pending, problem: this.problem, refused: this.refusals });
  }

  get refusals() {
    return this.#list(this.refusedPrefix).length;
  }

  #refuse([name, action], why) {
    this.#remove(name);
    this.#put(this.refusedPrefix + name.slice(this.prefix.length), { action, why });
    console.error(`An answer was refused: ${why}`);
  }

  #batch(most) {
    const found = [];
    let length = 0;
    for (const name of this.#names().slice(0, most)) {
      const text = this.#read(name);
      if (text === null) {
        continue; // another tab has sent it
      }
      length += text.length;
      if (found.length && length > MOST_CHARACTERS) {
        break;
      }
      found.push([name, JSON.parse(text)]);
    }
    return found;
  }

  #names() {
    return this.#list(this.prefix);
  }

  #list(prefix) {
    const names = [...this.memory.keys()];
    try {
      names.push(...Object.keys(localStorage));
    } catch {
      // switched off
    }
    return names.filter((name) => name.startsWith(prefix)).sort();
  }

  #read(name) {
    return this.memory.get(name) ?? localStorage.getItem(name);
  }

  #put(name, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(name, text);
    } catch {
      this.memory.set(name, text);
    }
  }

  #remove(name) {
    if (!this.memory.delete(name)) {
      localStorage.removeItem(name);
    }
  }
}
