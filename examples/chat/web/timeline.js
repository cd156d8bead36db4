// What has been seen of one room, by sequence number and id: decides which
// messages are new after a rejoin. It holds numbers, not elements.

const NONE = -1; // below every sequence number

const keyOf = (message) => `${message.seq}/${message.id}`;

export class Timeline {
  #keys = new Set();
  #idBySeq = new Map(); // of this run of the server only
  #lastSeq = NONE;

  // A live message. Result: {fresh: [message] or [], divider}.
  accept(message) {
    if (this.#keys.has(keyOf(message))) return { fresh: [], divider: "" };
    // Live numbers only grow, so a number at or below the last one means that
    // the server has begun to count anew.
    const restarted = message.seq <= this.#lastSeq;
    if (restarted) this.#newRun();
    this.#remember(message);
    return { fresh: [message], divider: restarted ? "restart" : "" };
  }

  // The history of a join or rejoin. Result: {fresh, divider}, oldest first;
  // the divider ("restart", "gap" or "") stands before the first of them.
  merge(history) {
    const sorted = [...history].sort((a, b) => a.seq - b.seq);
    const fresh = [];
    for (const message of sorted) {
      const key = keyOf(message);
      if (!this.#keys.has(key) && !fresh.some((other) => keyOf(other) === key)) fresh.push(message);
    }
    if (fresh.length === 0) return { fresh, divider: "" };

    const seenBefore = this.#lastSeq !== NONE;
    const contradicts = sorted.some(
      (message) => (this.#idBySeq.get(message.seq) ?? message.id) !== message.id,
    );
    if (seenBefore && (contradicts || sorted.at(-1).seq < this.#lastSeq)) {
      this.#newRun();
      for (const message of sorted) this.#remember(message);
      return { fresh, divider: "restart" };
    }

    // Older than all that is held: it was shown and dropped again long ago.
    const oldestHeld = this.#oldestSeq();
    const wanted = fresh.filter((message) => message.seq > oldestHeld);
    const overlaps = fresh.length < sorted.length;
    // Numbers of a room are not next to each other; each says which is before it.
    const gap = seenBefore && !overlaps && sorted[0].prev > this.#lastSeq;
    for (const message of wanted) this.#remember(message);
    return { fresh: wanted, divider: gap ? "gap" : "" };
  }

  // The element of this message has left the page.
  forget(message) {
    this.#keys.delete(keyOf(message));
    if (this.#idBySeq.get(message.seq) === message.id) this.#idBySeq.delete(message.seq);
  }

  #remember(message) {
    this.#keys.add(keyOf(message));
    this.#idBySeq.set(message.seq, message.id);
    this.#lastSeq = Math.max(this.#lastSeq, message.seq);
  }

  #newRun() {
    this.#idBySeq.clear();
    this.#lastSeq = NONE;
  }

  #oldestSeq() {
    let oldest = Infinity;
    for (const seq of this.#idBySeq.keys()) oldest = Math.min(oldest, seq);
    return oldest === Infinity ? this.#lastSeq : oldest;
  }
}
