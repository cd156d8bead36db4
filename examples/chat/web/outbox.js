// Messages that the server has not stored yet. One is under way at a time: the
// next one leaves when that is answered, so that the order stands whatever is
// refused. It neither draws nor connects.

import { newId } from "./protocol.js";

export const MAX_UNSENT = 50;

const ANSWER_TIMEOUT_MS = 8_000;
const CHECK_INTERVAL_MS = 500;

// What piled up leaves slowly enough to pass the server's rate.
const BACKLOG_SPACING_MS = 120;

// Pauses after a refusal that may pass by itself.
const TOO_FAST_PAUSE_MS = 1_500;
const UNAVAILABLE_PAUSE_MS = 1_000;

// The client's own message was the fault: sending it again would repeat it.
const FAULT_CLOSE_CODES = new Set([1002, 1003, 1007, 1008, 1009]);

// Handlers: transmit(entry) returns whether it left, onChange(entry) after every
// change of state, answerTime() a factor of how long answers may take,
// lastReceived() the time of the last inbound message, onSilence() when nothing
// at all has come back for too long.
export class Outbox {
  retryWithin = Infinity; // milliseconds after which nothing is sent again
  #handlers;
  #entries = new Map();
  #room = null; // that we are in
  #isStoring = true;
  #underWay = null;
  #pausedUntil = 0;
  #pumpTimer = 0;
  #checkTimer = 0;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  get isFull() {
    return this.#entries.size >= MAX_UNSENT;
  }

  get(id) {
    return this.#entries.get(id);
  }

  forRoom(room) {
    return [...this.#entries.values()].filter((entry) => entry.room === room);
  }

  add(room, nick, text) {
    const entry = {
      id: newId(),
      room,
      nick,
      text,
      at: new Date(),
      since: performance.now(),
      state: "pending",
      reason: "",
      isTried: false, // on whatever connection: it may be stored
      sentAt: 0,
      isBacklog: false,
    };
    entry.isBacklog = this.#waiting().length > 0 || this.#room !== room;
    this.#entries.set(entry.id, entry);
    this.#handlers.onChange(entry);
    this.#watch();
    this.#pump();
    return entry;
  }

  // The server has let us into a room: what was written for it may leave.
  opened(room) {
    this.#room = room;
    this.#underWay = null;
    this.#pausedUntil = 0;
    this.#pump();
  }

  closed(closeCode = 0) {
    this.#room = null;
    const entry = this.#underWay;
    this.#underWay = null;
    if (entry !== null && FAULT_CLOSE_CODES.has(closeCode)) {
      this.fail(entry.id, "The connection ended on this message.");
    }
  }

  // Something that kept the next one back is over.
  resume() {
    this.#pump();
  }

  // Whether the server can store at all.
  setStoring(isStoring) {
    this.#isStoring = isStoring;
    if (isStoring) this.#pausedUntil = 0;
    this.#pump();
  }

  // It is stored. Result: whether it was waiting for that.
  acknowledge(id) {
    return this.#remove(id);
  }

  discard(id) {
    this.#remove(id);
  }

  fail(id, reason) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    if (this.#underWay === entry) this.#underWay = null;
    entry.state = "failed";
    entry.reason = reason;
    this.#handlers.onChange(entry);
    this.#pump();
  }

  // Sends a failed one as a new message: the server may not know the old id any
  // more. Result: the new entry, or null.
  retry(id) {
    const entry = this.#entries.get(id);
    if (!entry || entry.state !== "failed") return null;
    this.#entries.delete(id);
    return this.add(entry.room, entry.nick, entry.text);
  }

  // The server was not ready for it; it stays pending and goes again.
  refusedForNow(id, isTooFast) {
    const entry = this.#entries.get(id);
    if (!entry || entry !== this.#underWay) return;
    this.#underWay = null;
    entry.isBacklog = true;
    this.#pausedUntil = performance.now() + (isTooFast ? TOO_FAST_PAUSE_MS : UNAVAILABLE_PAUSE_MS);
    this.#pump();
  }

  #remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    this.#entries.delete(id);
    if (this.#underWay === entry) this.#underWay = null;
    this.#pump();
    return true;
  }

  #waiting() {
    return [...this.#entries.values()].filter((entry) => entry.state === "pending");
  }

  #pump() {
    clearTimeout(this.#pumpTimer);
    if (this.#underWay !== null || this.#room === null || !this.#isStoring) return;
    const now = performance.now();
    const entry = this.#waiting().find(({ room }) => room === this.#room);
    if (!entry) return;
    if (now < this.#pausedUntil) {
      this.#pumpTimer = setTimeout(() => this.#pump(), this.#pausedUntil - now);
      return;
    }
    if (now - entry.since > this.retryWithin) {
      this.#expire(entry);
      return;
    }
    if (!this.#handlers.transmit(entry)) return;
    entry.isTried = true;
    entry.sentAt = now;
    this.#underWay = entry;
    if (entry.isBacklog) this.#pausedUntil = now + BACKLOG_SPACING_MS;
  }

  // Looks for what waits too long, as long as anything waits.
  #watch() {
    if (this.#checkTimer === 0) this.#checkTimer = setInterval(() => this.#check(), CHECK_INTERVAL_MS);
  }

  #check() {
    const waiting = this.#waiting();
    if (waiting.length === 0) {
      clearInterval(this.#checkTimer);
      this.#checkTimer = 0;
      return;
    }
    const now = performance.now();
    for (const entry of waiting) {
      if (now - entry.since > this.retryWithin) this.#expire(entry);
    }
    const entry = this.#underWay;
    if (entry === null || now - entry.sentAt < ANSWER_TIMEOUT_MS * this.#handlers.answerTime()) return;
    if (this.#handlers.lastReceived() < entry.sentAt) this.#handlers.onSilence();
    else this.fail(entry.id, "The server did not answer. It may have arrived all the same.");
  }

  #expire(entry) {
    const seconds = Math.round(this.retryWithin / 1000);
    this.fail(
      entry.id,
      entry.isTried
        ? `No answer within ${seconds} seconds. It may have arrived: look before you send it again.`
        : `It could not be sent within ${seconds} seconds.`,
    );
  }
}
