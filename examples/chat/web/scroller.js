// Where a list that grows at its end is scrolled to: at the bottom it stays there,
// anywhere else the text does not move under the reader's eyes.

// Fractions of a pixel and a bouncing scroll still count as "at the bottom".
const BOTTOM_SLACK_PX = 24;

export class Scroller {
  #log;
  #button;
  #stuck = true;
  #lastTop = 0;
  #rounding = 0;
  #unseen = 0;

  // The button leads to the bottom, and counts what is there.
  constructor(log, button) {
    this.#log = log;
    this.#button = button;
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.grown()).observe(log);
    button.addEventListener("click", () => {
      this.toBottom();
      log.focus({ preventScroll: true });
    });
  }

  toBottom() {
    this.#stuck = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#lastTop = this.#log.scrollTop;
    this.#unseen = 0;
    this.#showUnseen();
  }

  // From now on at the bottom, whatever is added.
  stick() {
    this.#stuck = true;
  }

  grown() {
    if (this.#stuck) this.toBottom();
  }

  countUnseen(more) {
    if (this.#stuck) return;
    this.#unseen += more;
    this.#showUnseen();
  }

  // Does what makes the list shorter above, with everything else where it is.
  // Heights have fractions and scroll positions may not; what is lost to rounding
  // is carried over, or the text would creep.
  keepPlace(fixed, action) {
    if (this.#stuck) {
      action();
      return;
    }
    const before = fixed.getBoundingClientRect().top;
    action();
    const exact = this.#log.scrollTop + fixed.getBoundingClientRect().top - before + this.#rounding;
    this.#log.scrollTop = exact;
    this.#lastTop = this.#log.scrollTop;
    this.#rounding = exact - this.#lastTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight <= BOTTOM_SLACK_PX) {
      this.#stuck = true;
      this.#unseen = 0;
      this.#showUnseen();
    } else if (scrollTop < this.#lastTop) {
      // Only scrolling up lets go: growing content is no wish of the reader.
      this.#stuck = false;
    }
    this.#lastTop = scrollTop;
  }

  #showUnseen() {
    this.#button.hidden = this.#unseen === 0;
    this.#button.textContent = this.#unseen === 1 ? "1 new message" : `${this.#unseen} new messages`;
  }
}
