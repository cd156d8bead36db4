// What this page holds of one room: messages in their order, each once. Numbers
// are those of one epoch, and each message names the one before it, so that
// nothing has to be guessed: what is missing is known to be missing.

const MAX_HELD = 300;

export class Timeline {
  #epoch = "";
  #last = 0; // the number of the newest message, 0 for none
  #held = []; // oldest first

  get epoch() {
    return this.#epoch;
  }

  get last() {
    return this.#last;
  }

  get messages() {
    return this.#held;
  }

  // What a join says of it: {} if nothing was seen yet.
  get position() {
    return this.#last === 0 ? {} : { epoch: this.#epoch, after: this.#last };
  }

  // The answer to a join. Result: {fresh, isGap}, as of take; isGap if some are
  // missing and nothing is there that they are missing before.
  joined({ epoch, gap, history }) {
    const wasHere = this.#last !== 0;
    const isNewEpoch = wasHere && epoch !== this.#epoch;
    this.#epoch = epoch;
    if (isNewEpoch) this.#last = 0;
    const isGap = wasHere && (gap || isNewEpoch);
    const fresh = this.take(history);
    if (isGap && fresh.length > 0) fresh[0].isAfterGap = true;
    return { fresh, isGap: isGap && fresh.length === 0 };
  }

  // Messages as they come, of history or live. Result: those that are new, each
  // with whether some are missing before it.
  take(messages) {
    const fresh = [];
    for (const message of messages) {
      if (message.seq <= this.#last) continue;
      fresh.push({ ...message, isAfterGap: this.#last !== 0 && message.prev !== this.#last });
      this.#last = message.seq;
    }
    this.#held = [...this.#held, ...fresh].slice(-MAX_HELD);
    return fresh;
  }
}

// A room that was left is remembered, so that one comes back to what one saw.
const MAX_ROOMS = 10;

export class Timelines {
  #byRoom = new Map(); // the one used last is the last one

  of(room) {
    const timeline = this.#byRoom.get(room) ?? new Timeline();
    this.#byRoom.delete(room);
    this.#byRoom.set(room, timeline);
    if (this.#byRoom.size > MAX_ROOMS) this.#byRoom.delete(this.#byRoom.keys().next().value);
    return timeline;
  }
}
