// Up to where each room was read, also in other tabs and after a reload. Storage
// may be forbidden or full, and then the page simply forgets.

import { MAX_SEEN } from "./protocol.js";

const KEY = "tandem-chat.read";

export class ReadingMarks {
  #storage;
  #own = new Map(); // room -> {epoch, seq}, where there is no storage

  constructor(storage) {
    this.#storage = storage;
  }

  // The number of the last message that was read, 0 if nothing is known.
  of(room, epoch) {
    const mark = this.#read().get(room);
    return mark?.epoch === epoch ? mark.seq : 0;
  }

  set(room, epoch, seq) {
    const marks = this.#read();
    const before = marks.get(room);
    if (before?.epoch === epoch && before.seq >= seq) return;
    marks.delete(room);
    marks.set(room, { epoch, seq }); // the newest one is the last one
    this.#write(marks);
  }

  // What the server is asked about, of its epoch alone.
  seen(epoch) {
    return Object.fromEntries(
      [...this.#read()].filter(([, mark]) => mark.epoch === epoch).map(([room, mark]) => [room, mark.seq]),
    );
  }

  #read() {
    try {
      const stored = JSON.parse(this.#storage?.getItem(KEY) ?? "null");
      if (Array.isArray(stored)) return new Map(stored.filter(isEntry).slice(-MAX_SEEN));
    } catch {
      // Somebody else's, or none: what is known here is good enough.
    }
    return new Map(this.#own);
  }

  #write(marks) {
    this.#own = new Map([...marks].slice(-MAX_SEEN));
    try {
      this.#storage?.setItem(KEY, JSON.stringify([...this.#own]));
    } catch {
      // See above: forgetting is fine.
    }
  }
}

const isEntry = (entry) =>
  Array.isArray(entry) &&
  typeof entry[0] === "string" &&
  typeof entry[1]?.epoch === "string" &&
  Number.isSafeInteger(entry[1].seq) &&
  entry[1].seq > 0;
