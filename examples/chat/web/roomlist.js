// The list of all rooms: asks for it now and then, and draws it. A room is a link,
// so that the address bar and the back button know it too.

import { make } from "./draw.js";
import { rooms } from "./protocol.js";

const INTERVAL_MS = 15_000;

// What comes faster than this is asked for once.
const AT_ONCE_MS = 1_000;

const MAX_SHOWN = 100;

const find = (id) => document.getElementById(id);

export class RoomList {
  #handlers;
  #rooms = [];
  #current = "";
  #members = 0; // in the current one
  #timer = 0;
  #askedAt = -Infinity;

  // Handlers: send(message) returns whether it left, seen() is what rooms are
  // asked about, onEnter(room) when one is named in the form.
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => this.ask());
    find("room-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const room = find("other-room").value.trim().replace(/^#/, "");
      if (room !== "" && handlers.onEnter(room)) find("other-room").value = "";
    });
  }

  get names() {
    return this.#rooms.map(({ room }) => room);
  }

  // Asks now, and again while somebody can see it.
  ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const due = this.#askedAt + AT_ONCE_MS - performance.now();
    if (due > 0) {
      this.#timer = setTimeout(() => this.ask(), due);
      return;
    }
    if (!this.#handlers.send(rooms(this.#handlers.seen()))) return;
    this.#askedAt = performance.now();
    this.#timer = setTimeout(() => this.ask(), INTERVAL_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  setCurrent(room) {
    this.#current = room;
    this.#draw();
  }

  // Who is in the room on the page is known better than the list knows it.
  setMembers(count) {
    if (this.#members === count) return;
    this.#members = count;
    this.#draw();
  }

  answered(list) {
    this.#rooms = list;
    this.#draw();
  }

  #draw() {
    const shown = this.#rooms.some(({ room }) => room === this.#current)
      ? this.#rooms
      : [{ room: this.#current, members: 0, unread: null }, ...this.#rooms];
    const links = shown.slice(0, MAX_SHOWN).map((listed) => this.#makeLink(listed));
    // The one with the focus is a new element of the same room.
    const focused = document.activeElement?.closest("#rooms a")?.hash;
    find("rooms").replaceChildren(...links.map((link) => make("li", "", link)));
    if (focused) links.find((link) => link.hash === focused)?.focus();
    const unread = shown.filter((listed) => this.#unreadOf(listed) > 0).length;
    find("room-count").textContent = unread > 0 ? `${unread} new` : String(shown.length);
    find("room-count").classList.toggle("badge", unread > 0);
    const hidden = shown.length - links.length;
    find("rooms-more").textContent = hidden > 0 ? `and ${hidden} more` : "";
  }

  #unreadOf({ room, unread }) {
    return room === this.#current ? 0 : (unread ?? 0);
  }

  #makeLink(listed) {
    const { room } = listed;
    const isCurrent = room === this.#current;
    const members = isCurrent ? this.#members : listed.members;
    const unread = this.#unreadOf(listed);
    const link = make("a", "", make("span", "room", room));
    link.href = `#${encodeURIComponent(room)}`;
    if (isCurrent) link.setAttribute("aria-current", "page");
    if (unread > 0) link.append(" ", make("span", "badge", String(unread), make("span", "unseen", " unread")));
    link.append(" ", make("span", "here", String(members), make("span", "unseen", " here")));
    return link;
  }
}
