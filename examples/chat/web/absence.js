// What happens while nobody looks at the page: how many messages come, and which
// one is the first. The divider stands before that one until the reader writes
// something, goes to another room, or is away for a next time.

export class Absence {
  #unread = 0;
  #onReturn;

  constructor(onReturn) {
    this.#onReturn = onReturn;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#unread = 0;
      this.#onReturn();
    });
  }

  get unread() {
    return this.#unread;
  }

  // So many came. Result: whether the first of them is the first one unread.
  came(count) {
    if (!document.hidden || count === 0) return false;
    this.#unread += count;
    return this.#unread === count;
  }

  // The room is another one, where all this begins anew.
  reset() {
    this.#unread = 0;
  }
}
