// Everything on the page but the message list: the join form, the status, the
// members, the composer, announcements. It holds no rule of the protocol.

import { hueOf, initialOf } from "./messages.js";
import { byteLength } from "./protocol.js";

const MAX_MEMBERS_SHOWN = 200;
const ALERT_MS = 12_000;

// A reconnect quicker than this is not worth a word.
const BANNER_DELAY_MS = 800;

// The counter appears when this part of the limit is used up.
const COUNTER_FROM = 0.8;

const find = (id) => document.getElementById(id);

export class View {
  #page = document.body;
  #form = find("join");
  #nick = find("nick");
  #room = find("room");
  #enter = find("enter");
  #cancel = find("cancel");
  #status = find("status");
  #text = find("text");
  #alertTimer = 0;
  #bannerTimer = 0;
  #countdownTimer = 0;
  #textLimit = Infinity;
  #canGoBack = false;

  // Handlers: onJoin({nick, room}), onCancel(), onSay(text) returning whether
  // it was taken, onChangeRoom(), onConnectNow().
  constructor(handlers) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const room = this.#room.value.trim().replace(/^#/, "");
      handlers.onJoin({ nick: this.#nick.value.trim(), room });
    });
    this.#cancel.addEventListener("click", handlers.onCancel);
    find("change-room").addEventListener("click", handlers.onChangeRoom);
    find("connect-now").addEventListener("click", handlers.onConnectNow);
    find("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say(handlers.onSay);
    });
    this.#text.addEventListener("keydown", (event) => {
      // An input method's Enter picks a word; 229 is how Safari says so.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#say(handlers.onSay);
    });
    this.#text.addEventListener("input", () => this.#measureText());
    this.#openMembersOnWideScreens();
    this.#stayAboveKeyboard();
  }

  get isChat() {
    return this.#page.dataset.view === "chat";
  }

  // The join form.

  showForm({ nick, room, canGoBack, focus = true }) {
    this.#page.dataset.view = "join";
    find("join-panel").hidden = false;
    find("chat").hidden = true;
    this.#canGoBack = canGoBack;
    this.#nick.value = nick;
    this.#room.value = room;
    this.setFormBusy(false);
    this.clearFormError();
    if (focus) (nick === "" ? this.#nick : canGoBack ? this.#room : this.#enter).focus();
  }

  // The fields keep what is in them; the sentence says what is wrong.
  showFormError(text, field = "") {
    find("join-error").textContent = text;
    const input = { nick: this.#nick, room: this.#room }[field];
    input?.setAttribute("aria-invalid", "true");
    (input ?? this.#enter).focus();
  }

  clearFormError() {
    find("join-error").textContent = "";
    this.#nick.removeAttribute("aria-invalid");
    this.#room.removeAttribute("aria-invalid");
  }

  setFormBusy(isBusy) {
    this.#form.setAttribute("aria-busy", String(isBusy));
    this.#enter.textContent = isBusy ? "Joining…" : "Join";
    this.#cancel.textContent = isBusy ? "Cancel" : "Back";
    this.#cancel.hidden = !isBusy && !this.#canGoBack;
  }

  // The chat.

  showChat({ focus = true } = {}) {
    this.#page.dataset.view = "chat";
    find("join-panel").hidden = true;
    find("chat").hidden = false;
    this.setFormBusy(false);
    if (focus) this.focusComposer();
  }

  focusComposer() {
    this.#text.focus();
  }

  setRoom(room) {
    find("room-name").textContent = room;
    find("messages").setAttribute("aria-label", `Messages in ${room}`);
  }

  setTitle(room, unread) {
    const count = unread > 0 ? `(${unread}) ` : "";
    document.title = room === "" ? "Tandem chat" : `${count}#${room} · Tandem chat`;
  }

  setMembers(members, me) {
    const items = members.slice(0, MAX_MEMBERS_SHOWN).map((nick) => {
      const item = document.createElement("li");
      item.className = hueOf(nick);
      item.classList.toggle("me", nick === me);
      item.dataset.initial = initialOf(nick);
      item.dir = "auto";
      item.textContent = nick;
      return item;
    });
    find("members").replaceChildren(...items);
    find("member-count").textContent = members.length;
    const hidden = members.length - items.length;
    find("members-more").textContent = hidden > 0 ? `and ${hidden} more` : "";
  }

  // The composer.

  setTextLimit(limit) {
    this.#textLimit = limit;
    this.#measureText();
  }

  #say(onSay) {
    const text = this.#text.value.trim();
    if (text !== "") {
      const excess = byteLength(text) - this.#textLimit;
      if (excess > 0) {
        this.alert(`That message is too long by ${excess} bytes.`);
      } else if (onSay(text)) {
        this.#text.value = "";
        this.#measureText();
        this.clearAlert();
      }
    }
    this.#text.focus();
  }

  #measureText() {
    const left = this.#textLimit - byteLength(this.#text.value.trim());
    const counter = find("counter");
    counter.textContent = left < this.#textLimit * (1 - COUNTER_FROM) ? `${left} bytes left` : "";
    counter.classList.toggle("over", left < 0);
    this.#text.setAttribute("aria-invalid", String(left < 0));
    if (!CSS.supports("field-sizing", "content")) {
      this.#text.rows = Math.min(6, this.#text.value.split("\n").length);
    }
  }

  // Connection and errors.

  setStatus({ state, retryAt = 0, reason = "" }, isSettled) {
    clearInterval(this.#countdownTimer);
    const label = () => {
      switch (state) {
        case "connecting":
          return "Connecting…";
        case "connected":
          return isSettled ? "Connected" : "Joining…";
        case "reconnecting": {
          const seconds = Math.ceil((retryAt - Date.now()) / 1000);
          return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
        }
        case "stopped":
          return "Disconnected";
        default:
          return reason === "idle" ? "Not connected" : "Offline";
      }
    };
    this.#status.dataset.state = state;
    this.#status.textContent = label();
    if (state === "reconnecting") {
      this.#countdownTimer = setInterval(() => (this.#status.textContent = label()), 250);
    }
    this.#setBanner(state, reason);
  }

  #setBanner(state, reason) {
    const banner = find("banner");
    const text = {
      reconnecting: "The connection was lost. What you write now is sent when it is back.",
      offline: reason === "idle" ? undefined : "Your device is offline. What you write now is sent when it is back.",
      stopped: reason,
    }[state];
    if (text === undefined) {
      clearTimeout(this.#bannerTimer);
      this.#bannerTimer = 0;
      banner.hidden = true;
      return;
    }
    find("banner-text").textContent = text;
    find("connect-now").textContent = state === "stopped" ? "Connect again" : "Try now";
    if (state !== "reconnecting") banner.hidden = false;
    else if (banner.hidden && this.#bannerTimer === 0) {
      this.#bannerTimer = setTimeout(() => (banner.hidden = false), BANNER_DELAY_MS);
    }
  }

  // For screen readers only: said politely.
  announce(text) {
    find("announcer").textContent = text;
  }

  // Shown and said at once.
  alert(text) {
    clearTimeout(this.#alertTimer);
    find("alert").textContent = text;
    this.#alertTimer = setTimeout(() => this.clearAlert(), ALERT_MS);
  }

  clearAlert() {
    find("alert").textContent = "";
  }

  // The screen.

  #openMembersOnWideScreens() {
    const wide = matchMedia("(min-width: 52rem)");
    const apply = () => (find("people").open = wide.matches);
    wide.addEventListener("change", apply);
    apply();
  }

  // Some phones lay the keyboard over the page instead of shrinking it.
  #stayAboveKeyboard() {
    const visible = window.visualViewport;
    if (!visible) return;
    const apply = () => {
      if (visible.scale > 1.01) return; // zoomed in, not typing
      const covered = Math.max(0, window.innerHeight - visible.height);
      document.documentElement.style.setProperty("--covered", `${covered}px`);
      if (covered > 0) window.scrollTo(0, 0);
    };
    visible.addEventListener("resize", apply);
    visible.addEventListener("scroll", apply);
    apply();
  }
}
