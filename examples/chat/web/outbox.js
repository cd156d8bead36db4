// Messages the server has not acknowledged yet: which to send next, which to
// send again after a reconnect, which have failed. It neither draws nor connects.

import { newId } from "./protocol.js";

export const MAX_UNSENT = 50;

// A message that was sent this often and never answered is the user's decision.
const MAX_SENDS = 3;

const ANSWER_TIMEOUT_MS = 8_000;
const CHECK_INTERVAL_MS = 1_000;

// What piled up during a break leaves slowly enough to pass a rate limit.
const BACKLOG_SPACING_MS = 150;
const TOO_FAST_PAUSE_MS = 1_500;

// The client's own message was the fault: sending it again would repeat it.
const FAULT_CLOSE_CODES = new Set([1002, 1003, 1007, 1008, 1009]);

// Handlers: transmit(entry) returns whether it left, onChange(entry) after
// every change of state, lastReceived() the time of the last inbound message,
// onSilence() when nothing at all has come back for too long.
export class Outbox {
  #handlers;
  #entries = new Map();
  #room = null;
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
      state: "pending",
      reason: "",
      sends: 0,
      sentAt: 0, // 0: not sent on this connection
      backlog: this.#room !== room,
    };
    this.#entries.set(entry.id, entry);
    this.#handlers.onChange(entry);
    this.#pump();
    return entry;
  }

  // The server has let us into a room: what was written for it may leave.
  opened(room) {
    this.#room = room;
    for (const entry of this.#entries.values()) {
      if (entry.state === "pending" && entry.sentAt === 0) entry.backlog = true;
    }
    this.#pump();
  }

  closed(closeCode = 0) {
    this.#room = null;
    clearTimeout(this.#pumpTimer);
    this.#pumpTimer = 0;
    for (const entry of [...this.#entries.values()]) {
      if (entry.state !== "pending" || entry.sentAt === 0) continue;
      if (FAULT_CLOSE_CODES.has(closeCode)) {
        this.fail(entry.id, "The connection ended on this message.");
      } else {
        this.#hold(entry);
      }
    }
  }

  acknowledge(id) {
    return this.#entries.delete(id);
  }

  discard(id) {
    this.#entries.delete(id);
  }

  fail(id, reason) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.state = "failed";
    entry.reason = reason;
    this.#handlers.onChange(entry);
  }

  // The same id again: should the first copy have arrived after all, its
  // acknowledgement still fits.
  retry(id) {
    const entry = this.#entries.get(id);
    if (!entry || entry.state !== "failed") return;
    Object.assign(entry, { state: "pending", reason: "", sends: 0, sentAt: 0, backlog: false });
    this.#handlers.onChange(entry);
    this.#pump();
  }

  // The server was not ready for it; it stays pending and goes again.
  refusedForNow(id) {
    const entry = this.#entries.get(id);
    if (!entry || entry.state !== "pending") return;
    this.#hold(entry);
    if (entry.state === "pending") this.#pumpLater(TOO_FAST_PAUSE_MS);
  }

  #hold(entry) {
    entry.sentAt = 0;
    entry.backlog = true;
    if (entry.sends >= MAX_SENDS) this.fail(entry.id, "The server did not answer.");
  }

  #pump() {
    if (this.#pumpTimer !== 0 || this.#room === null) return;
    for (const entry of this.forRoom(this.#room)) {
      if (entry.state !== "pending" || entry.sentAt !== 0) continue;
      if (!this.#handlers.transmit(entry)) return;
      entry.sends++;
      entry.sentAt = performance.now();
      this.#watch();
      if (entry.backlog) {
        this.#pumpLater(BACKLOG_SPACING_MS);
        return;
      }
    }
  }

  #pumpLater(delay) {
    clearTimeout(this.#pumpTimer);
    this.#pumpTimer = setTimeout(() => {
      this.#pumpTimer = 0;
      this.#pump();
    }, delay);
  }

  #watch() {
    if (this.#checkTimer === 0) {
      this.#checkTimer = setInterval(() => this.#check(), CHECK_INTERVAL_MS);
    }
  }

  #check() {
    const now = performance.now();
    const waiting = [...this.#entries.values()].filter(
      (entry) => entry.state === "pending" && entry.sentAt !== 0,
    );
    if (waiting.length === 0) {
      clearInterval(this.#checkTimer);
      this.#checkTimer = 0;
      return;
    }
    for (const entry of waiting) {
      if (now - entry.sentAt < ANSWER_TIMEOUT_MS) continue;
      if (this.#handlers.lastReceived() < entry.sentAt) {
        this.#handlers.onSilence();
        return;
      }
      this.fail(entry.id, "The server did not answer.");
    }
  }
}
