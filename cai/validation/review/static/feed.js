// The items ahead, fetched before they are needed, and the answers that can be taken back.

import { getJson } from "/static/net.js";

const LOW = 8;

export const nameOf = (item) => `${item.role}/${item.item_id}`;

export class Feed {
  constructor(role) {
    this.role = role;
    this.ahead = [];
    this.history = []; // the last answer at the end; those given in this page have a `view`
    this.known = new Set(); // on the screen, ahead, or answered in this page
    this.more = false;
    this.progress = null;
    this.fetching = null;
  }

  // The first look at the queue, with what was answered before.
  async open() {
    const data = await this.#ask();
    this.history = data.history;
    this.progress = data.progress;
  }

  take() {
    const view = this.ahead.shift() ?? null;
    if (this.ahead.length < LOW) {
      this.refill().catch(() => {}); // whoever runs out asks again, and says what is wrong
    }
    return view;
  }

  putBack(view) {
    this.ahead.unshift(view);
  }

  // Ask for more items; resolves to whether any came.
  refill() {
    this.fetching ??= this.#ask()
      .then((data) => data.fresh)
      .finally(() => {
        this.fetching = null;
      });
    return this.fetching;
  }

  async #ask() {
    const data = await getJson(`/api/queue?role=${this.role}&more=${this.more ? 1 : 0}`);
    const fresh = data.items.filter((item) => !this.known.has(nameOf(item)));
    for (const item of fresh) {
      this.known.add(nameOf(item));
      this.ahead.push(item);
    }
    return { ...data, fresh: fresh.length > 0 };
  }
}
