// How long an answer takes. A page cannot see the pings of its WebSocket, so it
// asks for answers of its own.

import { ping } from "./protocol.js";

const INTERVAL_MS = 10_000;
const WATCHED_INTERVAL_MS = 2_000; // while somebody looks at it
const OVERDUE_MS = 15_000;

// Handlers: send(message) returns whether it left, onResult(milliseconds or null),
// onOverdue(since) when an answer has not come since that time.
export class RoundTrip {
  #handlers;
  #timer = 0;
  #number = 0;
  #asked = null; // {id, at}
  #isRunning = false;
  #isWatched = false;

  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => this.#ask());
  }

  start() {
    this.#isRunning = true;
    this.#asked = null;
    this.#ask();
  }

  stop() {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#handlers.onResult(null);
  }

  watch(isWatched) {
    this.#isWatched = isWatched;
    if (isWatched) this.#ask();
  }

  answered({ id }) {
    if (id !== this.#asked?.id) return;
    const took = performance.now() - this.#asked.at;
    this.#asked = null;
    this.#handlers.onResult(took);
  }

  // One question at a time, and none of a page that nobody sees: its clock is slow.
  #ask() {
    clearTimeout(this.#timer);
    if (!this.#isRunning || document.hidden) return;
    this.#timer = setTimeout(() => this.#ask(), this.#isWatched ? WATCHED_INTERVAL_MS : INTERVAL_MS);
    const now = performance.now();
    if (this.#asked === null) {
      const id = String(++this.#number);
      if (this.#handlers.send(ping(id))) this.#asked = { id, at: now };
    } else if (now - this.#asked.at > OVERDUE_MS) {
      this.#asked = null;
      this.#handlers.onOverdue(now - OVERDUE_MS);
    }
  }
}
