// Who is writing something just now, and telling others that we are.

import { typing } from "./protocol.js";

// The server passes on one within two seconds.
const TELL_EVERY_MS = 2_500;
const GOOD_FOR_MS = 4_000;
const MAX_WRITERS = 20;

export class Typing {
  #place;
  #send;
  #toldAt = -Infinity;
  #writers = new Map(); // nick -> timer

  // place shows the line. It must be hidden from screen readers: nobody wants to
  // hear of each letter.
  constructor(place, send) {
    this.#place = place;
    this.#send = send;
  }

  tell() {
    const now = performance.now();
    if (now - this.#toldAt >= TELL_EVERY_MS && this.#send(typing())) this.#toldAt = now;
  }

  // What was being written was sent; the next text is told of at once.
  sent() {
    this.#toldAt = -Infinity;
  }

  isWriting(nick) {
    if (!this.#writers.has(nick) && this.#writers.size >= MAX_WRITERS) return;
    clearTimeout(this.#writers.get(nick));
    this.#writers.set(nick, setTimeout(() => this.hasStopped(nick), GOOD_FOR_MS));
    this.#draw();
  }

  hasStopped(nick) {
    clearTimeout(this.#writers.get(nick));
    if (this.#writers.delete(nick)) this.#draw();
  }

  clear() {
    for (const nick of [...this.#writers.keys()]) this.hasStopped(nick);
  }

  #draw() {
    const nicks = [...this.#writers.keys()];
    const [first, second] = nicks;
    this.#place.textContent = {
      0: "",
      1: `${first} is typing…`,
      2: `${first} and ${second} are typing…`,
    }[nicks.length] ?? "Several people are typing…";
  }
}
