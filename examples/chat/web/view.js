// The frame of the page: status, banner, members, announcements. It holds no rule
// of the protocol.

import { hueOf, initialOf, make } from "./draw.js";
import { sayRoundTrip } from "./panel.js";

const MAX_MEMBERS_SHOWN = 200;
const ALERT_MS = 12_000;

// A reconnect quicker than this is not worth a word.
const BANNER_DELAY_MS = 800;

const find = (id) => document.getElementById(id);

export class View {
  #page = document.body;
  #status = find("status");
  #statusText = find("status-text");
  #alertTimer = 0;
  #bannerTimer = 0;
  #countdownTimer = 0;

  // Handlers: onChangeRoom(), onConnectNow().
  constructor(handlers) {
    find("change-room").addEventListener("click", handlers.onChangeRoom);
    find("connect-now").addEventListener("click", handlers.onConnectNow);
    find("show-help").addEventListener("click", () => this.showHelp());
    this.#openSidesOnWideScreens();
    this.#stayAboveKeyboard();
  }

  get isChat() {
    return this.#page.dataset.view === "chat";
  }

  showChat() {
    this.#page.dataset.view = "chat";
    find("join-panel").hidden = true;
    find("chat").hidden = false;
  }

  setRoom(room) {
    find("room-name").textContent = room;
    find("messages").setAttribute("aria-label", `Messages in ${room}`);
    if (!this.#isWide.matches) find("room-side").open = false;
  }

  setTitle(room, unread) {
    const count = unread > 0 ? `(${unread}) ` : "";
    document.title = room === "" ? "Tandem chat" : `${count}#${room} · Tandem chat`;
  }

  setMembers(members, me) {
    const items = members.slice(0, MAX_MEMBERS_SHOWN).map((nick) => {
      const item = make("li", hueOf(nick), nick);
      item.classList.toggle("me", nick === me);
      item.dataset.initial = initialOf(nick);
      item.dir = "auto";
      return item;
    });
    find("members").replaceChildren(...items);
    find("member-count").textContent = members.length;
    const hidden = members.length - items.length;
    find("members-more").textContent = hidden > 0 ? `and ${hidden} more` : "";
  }

  fillHelp(commands) {
    const rows = commands.flatMap(({ name, argument, does }) => [
      make("dt", "", make("code", "", `/${name}${argument ? ` ${argument}` : ""}`)),
      make("dd", "", does),
    ]);
    find("commands").replaceChildren(...rows);
  }

  showHelp() {
    find("help").showModal();
  }

  // Connection and errors.

  // With what beside the state is worth a word: isSettled, isStoring, isSlow,
  // roundTrip. Result: the state in words.
  setStatus({ state, retryAt = 0, reason = "" }, more) {
    clearInterval(this.#countdownTimer);
    const label = () => {
      switch (state) {
        case "connecting":
          return "Connecting…";
        case "connected":
          return !more.isSettled ? "Joining…" : more.isSlow ? "Slow client" : "Connected";
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
    const draw = () => {
      if (this.#statusText.textContent !== label()) this.#statusText.textContent = label();
    };
    this.#status.dataset.state = state;
    draw();
    find("trip").textContent = state === "connected" ? sayRoundTrip(more.roundTrip) : "";
    if (state === "reconnecting") this.#countdownTimer = setInterval(draw, 250);
    this.#setBanner(state, reason, more);
    return label();
  }

  #setBanner(state, reason, { isStoring, isSlow }) {
    const banner = find("banner");
    const { text, button } = this.#bannerFor(state, reason, isStoring, isSlow);
    if (text === "") {
      clearTimeout(this.#bannerTimer);
      this.#bannerTimer = 0;
      banner.hidden = true;
      return;
    }
    find("banner-text").textContent = text;
    find("connect-now").textContent = button;
    find("connect-now").hidden = button === "";
    if (state !== "reconnecting") banner.hidden = false;
    else if (banner.hidden && this.#bannerTimer === 0) {
      this.#bannerTimer = setTimeout(() => (banner.hidden = false), BANNER_DELAY_MS);
    }
  }

  #bannerFor(state, reason, isStoring, isSlow) {
    switch (state) {
      case "reconnecting":
        return { text: "The connection was lost. What you write now is sent when it is back.", button: "Try now" };
      case "stopped":
        return { text: reason, button: isSlow ? "Back to full speed" : "Connect again" };
      case "offline":
        if (reason === "idle") break;
        return { text: "Your device is offline. What you write now is sent when it is back.", button: "Try now" };
      case "connected":
        if (!isStoring) return { text: "Messages cannot be stored right now; yours wait here.", button: "" };
        if (isSlow) {
          return {
            text: "You are a slow client now: you are sent 512 bytes a second.",
            button: "Back to full speed",
          };
        }
    }
    return { text: "", button: "" };
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

  #isWide = matchMedia("(min-width: 52rem)");

  // On a narrow screen one of them may be open, over the talk.
  #openSidesOnWideScreens() {
    const sides = [find("room-side"), find("people")];
    const apply = () => sides.forEach((side) => (side.open = this.#isWide.matches));
    this.#isWide.addEventListener("change", apply);
    for (const side of sides) {
      side.addEventListener("toggle", () => {
        if (!side.open || this.#isWide.matches) return;
        for (const other of sides) if (other !== side) other.open = false;
      });
    }
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
