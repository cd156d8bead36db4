// Which room we are in, which one is wanted, and what to do when the server lets
// us in or does not. It does not know the page.

// The server may hold our old connection for a moment after we have lost it, and
// then it is our own name that is taken.
const REJOIN_TRIES = 5;
const REJOIN_DELAY_MS = 400;
const LINGERING_CODES = new Set(["nick_taken", "room_full", "rooms_full", "too_fast"]);

// The store is away for as long as it is; one asks again, but less and less often.
const UNAVAILABLE_DELAY_MAX_MS = 5_000;

const JOIN_TIMEOUT_MS = 10_000;

// Handlers: sendJoin(wanted) returns whether it left; onRefused(wanted, error)
// when a question of the reader is answered with no; onSilence() when nothing is
// answered; answerTime() a factor of how long answers may take.
export class Membership {
  current = null; // {room, nick} of what is on the page
  wanted = null; // {room, nick} the connection shall be in, or null
  isJoined = false; // on this very connection
  isAsked = false; // by the reader, who waits for an answer
  #handlers;
  #tries = 0;
  #timer = 0;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  // The reader wants in. The question itself leaves with send().
  ask(wanted) {
    this.wanted = wanted;
    this.isAsked = true;
    this.#tries = 0;
  }

  send() {
    clearTimeout(this.#timer);
    if (this.wanted === null || !this.#handlers.sendJoin(this.wanted)) return;
    this.#timer = setTimeout(() => this.#handlers.onSilence(), JOIN_TIMEOUT_MS * this.#handlers.answerTime());
  }

  // The connection is new: what was wanted is asked for again.
  opened() {
    this.#tries = 0;
    this.send();
  }

  lost() {
    clearTimeout(this.#timer);
    this.isJoined = false;
  }

  // Result: what was there before, and whether the reader had asked.
  joined({ room, nick }) {
    clearTimeout(this.#timer);
    const before = this.current;
    const isAnswer = this.isAsked || before === null;
    this.current = this.wanted = { room, nick };
    this.isJoined = true;
    this.isAsked = false;
    this.#tries = 0;
    return { before, isAnswer };
  }

  refused(error) {
    clearTimeout(this.#timer);
    const isRejoin = !this.isAsked && this.current !== null;
    if (isRejoin && error.code === "unavailable") {
      this.#again(Math.min(UNAVAILABLE_DELAY_MAX_MS, ++this.#tries * REJOIN_DELAY_MS));
      return;
    }
    if (isRejoin && LINGERING_CODES.has(error.code) && this.#tries < REJOIN_TRIES) {
      this.#again(++this.#tries * REJOIN_DELAY_MS);
      return;
    }
    const refused = this.wanted;
    this.isAsked = false;
    // A switch was refused, or a new name: the reader stays where they were.
    this.wanted = isRejoin ? null : this.current;
    this.#handlers.onRefused(refused, error);
    if (this.wanted !== null && !this.isJoined) this.send();
  }

  // The reader does not want in any more. Result: whether there is a room to go
  // back to.
  cancel() {
    this.isAsked = false;
    this.wanted = this.wanted === null ? null : this.current;
    if (this.wanted === null) clearTimeout(this.#timer);
    return this.wanted !== null;
  }

  // The server has forgotten us on a connection that is open.
  forgotten() {
    this.isJoined = false;
    this.send();
  }

  #again(delay) {
    this.#timer = setTimeout(() => this.send(), delay);
  }
}
