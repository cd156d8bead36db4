// Notifications of the browser while the page is hidden: only if the reader has
// asked for them, and the browser agrees.

import { recallNotifying, rememberNotifying } from "./settings.js";

const MAX_TEXT = 140;

export class Notifier {
  #button;
  #isOn;
  #say;

  // say(text) tells the reader what a click has done.
  constructor(button, say) {
    this.#button = button;
    this.#say = say;
    button.hidden = !("Notification" in window);
    this.#isOn = recallNotifying() && !button.hidden && Notification.permission === "granted";
    button.addEventListener("click", () => this.#toggle());
    this.#draw();
  }

  async #toggle() {
    if (!this.#isOn && (await Notification.requestPermission()) !== "granted") {
      this.#say("Your browser does not let this page notify you.");
      return;
    }
    this.#isOn = !this.#isOn;
    rememberNotifying(this.#isOn);
    this.#draw();
    this.#say(this.#isOn ? "You are notified while this page is hidden." : "You are not notified any more.");
  }

  #draw() {
    this.#button.setAttribute("aria-pressed", String(this.#isOn));
  }

  // One for each room: a newer one takes the place of the one before.
  tell({ room, nick, text }) {
    if (!this.#isOn || !document.hidden || Notification.permission !== "granted") return;
    const body = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
    try {
      const shown = new Notification(`${nick} in #${room}`, { body, tag: `tandem-chat/${room}`, icon: "favicon.svg" });
      shown.addEventListener("click", () => {
        window.focus();
        shown.close();
      });
    } catch {
      // Some phones have the name and not the thing.
    }
  }
}
