// Where one writes: Enter sends, a counter warns, emoji come by name or picker.

import { EMOJI, completeEmoji } from "./emoji.js";
import { byteLength } from "./protocol.js";

// The counter appears when this part of the limit is used up.
const COUNTER_FROM = 0.8;

// The picker is a grid for the arrow keys, as wide as chat.css makes it.
const PICKER_COLUMNS = 7;

const find = (id) => document.getElementById(id);

export class Composer {
  #text = find("text");
  #picker = find("emoji");
  #limit = Infinity;
  #handlers;

  // Handlers: onSay(text) returning whether it was taken, onWriting(text),
  // onProblem(text).
  constructor(handlers) {
    this.#handlers = handlers;
    find("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
    this.#text.addEventListener("keydown", (event) => {
      // An input method's Enter picks a word; 229 is how Safari says so.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#say();
    });
    this.#text.addEventListener("input", (event) => {
      if (!event.isComposing) this.#complete();
      this.#measure();
      if (this.#text.value.trim() !== "") handlers.onWriting(this.#text.value);
    });
    this.#fillPicker();
  }

  focus() {
    this.#text.focus();
  }

  setLimit(limit) {
    this.#limit = limit;
    this.#measure();
  }

  #say() {
    const text = this.#text.value.trim();
    if (text !== "") {
      const excess = byteLength(text) - this.#limit;
      if (excess > 0) {
        this.#handlers.onProblem(`That is too long by ${excess} bytes. Shorten it, or send it in two parts.`);
      } else if (this.#handlers.onSay(text)) {
        this.#text.value = "";
        this.#measure();
      }
    }
    this.#text.focus();
  }

  #measure() {
    const left = this.#limit - byteLength(this.#text.value.trim());
    const counter = find("counter");
    counter.textContent =
      left < 0 ? `${-left} bytes too long` : left < this.#limit * (1 - COUNTER_FROM) ? `${left} bytes left` : "";
    counter.classList.toggle("over", left < 0);
    this.#text.setAttribute("aria-invalid", String(left < 0));
    if (!CSS.supports("field-sizing", "content")) {
      this.#text.rows = Math.min(6, this.#text.value.split("\n").length);
    }
  }

  #complete() {
    const caret = this.#text.selectionStart;
    if (caret !== this.#text.selectionEnd) return;
    const completed = completeEmoji(this.#text.value.slice(0, caret));
    if (completed === null) return;
    this.#text.setRangeText(completed, 0, caret, "end");
  }

  // Emoji.

  #fillPicker() {
    const buttons = EMOJI.map(([character, name], at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = character;
      button.setAttribute("aria-label", name.replaceAll("_", " "));
      button.title = `:${name}:`;
      button.tabIndex = at === 0 ? 0 : -1;
      button.addEventListener("click", () => this.#insert(character));
      return button;
    });
    find("emoji-grid").replaceChildren(...buttons);
    this.#picker.addEventListener("toggle", (event) => {
      if (event.newState === "open") this.#picker.querySelector('[tabindex="0"]').focus();
    });
    this.#picker.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(document.activeElement);
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -PICKER_COLUMNS, ArrowDown: PICKER_COLUMNS }[event.key];
      const next = { Home: 0, End: buttons.length - 1 }[event.key] ?? at + step;
      if (at < 0 || !(next in buttons)) return;
      event.preventDefault();
      buttons[at].tabIndex = -1;
      buttons[next].tabIndex = 0;
      buttons[next].focus();
    });
  }

  #insert(character) {
    this.#text.setRangeText(character, this.#text.selectionStart, this.#text.selectionEnd, "end");
    this.#picker.hidePopover();
    this.#text.focus();
    this.#text.dispatchEvent(new Event("input"));
  }
}
