// The message list: the order of its items, day separators, dividers and the bound
// on how many there are. What is new or a repeat is decided elsewhere.

import {
  dayKey, make, makeButton, makeDay, makeDivider, makeHint, makeMessage, makeNotice, makeTime, makeWhisper,
} from "./draw.js";
import { linkify } from "./linkify.js";
import { Scroller } from "./scroller.js";

const MAX_MESSAGES = 500;
const MAX_ITEMS = 800; // with notices, day separators and dividers

// Messages of one person within this time stand under one heading.
const GROUP_MS = 3 * 60_000;

// Long enough for a screen reader to ignore what was added meanwhile.
const QUIET_MS = 250;

const DIVIDER_TEXT = {
  gap: "Messages are missing here that the chat does not have any more.",
  unread: "New messages",
};

const isDay = (item) => item?.classList.contains("day") ?? false;
const isMessage = (item) => item?.classList.contains("message") ?? false;

export class MessageList {
  #log;
  #list;
  #scroller;
  #handlers;
  #facts = new WeakMap(); // item -> {at, nick, id}; only dated items have them
  #unsent = new Map(); // id -> item, in the order of the page: always the last ones
  #unread = null; // the divider before what is new
  #messages = 0;
  #quietTimer = 0;

  // Handlers: onRetry(id), onDiscard(id).
  constructor(log, button, handlers) {
    this.#log = log;
    this.#list = log.querySelector("ol");
    this.#scroller = new Scroller(log, button);
    this.#handlers = handlers;
  }

  get hasUnreadDivider() {
    return this.#unread !== null;
  }

  clear() {
    this.#list.replaceChildren();
    this.#unsent.clear();
    this.#unread = null;
    this.#messages = 0;
    this.#scroller.toBottom();
  }

  // History: shown, but not read aloud. The first one after readUpTo that somebody
  // else said has the divider of new messages before it; Infinity is for none.
  replay(messages, { me, isGap = false, readUpTo = Infinity }) {
    this.#log.setAttribute("aria-live", "off");
    this.#log.setAttribute("aria-busy", "true");
    clearTimeout(this.#quietTimer);
    this.#change(() => {
      if (isGap) this.#addDivider("gap");
      for (const message of messages) {
        if (message.isAfterGap) this.#addDivider("gap");
        if (message.seq > readUpTo && message.nick !== me) {
          this.#placeUnread();
          readUpTo = Infinity;
        }
        this.#addOrSettle(message, message.nick === me);
      }
    });
    this.#scroller.countUnseen(messages.filter(({ nick }) => nick !== me).length);
    this.#quietTimer = setTimeout(() => {
      this.#log.setAttribute("aria-busy", "false");
      this.#log.setAttribute("aria-live", "polite");
    }, QUIET_MS);
  }

  // isFirstUnread: the divider of new messages stands before it.
  add(message, { me, isFirstUnread }) {
    const isOwn = message.nick === me;
    this.#change(() => {
      if (message.isAfterGap) this.#addDivider("gap");
      if (isFirstUnread) this.#placeUnread();
      this.#addOrSettle(message, isOwn);
    });
    if (!isOwn) this.#scroller.countUnseen(1);
  }

  removeUnreadDivider() {
    if (this.#unread !== null) this.#change(() => this.#removeUnread());
  }

  addNotice(notice) {
    this.#addDated(makeNotice(notice), notice.at);
  }

  addWhisper(whisper) {
    this.#addDated(makeWhisper(whisper), whisper.at);
    this.#scroller.countUnseen(1);
  }

  addHint(text) {
    this.#scroller.stick(); // it answers what the reader did
    this.#addDated(makeHint(text), new Date());
  }

  #addDated(item, at) {
    this.#facts.set(item, { at });
    this.#change(() => {
      this.#list.insertBefore(item, this.#firstUnsent());
      this.#tidy(item);
    });
  }

  // Draws a message that is not stored, or its new state.
  showUnsent(entry) {
    let item = this.#unsent.get(entry.id);
    if (item) {
      this.#change(() => this.#setState(item, entry.state, entry.reason));
      return;
    }
    item = makeMessage(entry, true);
    this.#setFacts(item, entry);
    this.#setState(item, entry.state, entry.reason);
    this.#scroller.stick(); // one wants to see what one has just written
    this.#change(() => {
      this.#list.append(item);
      this.#messages++;
      this.#unsent.set(entry.id, item);
      this.#tidy(item);
    });
  }

  // It is stored under that number; the message itself is on its way.
  showStored(id, seq) {
    const item = this.#unsent.get(id);
    if (!item) return;
    item.dataset.stored = seq;
    this.#setState(item, "stored", "");
  }

  // What is stored and was not on its way after all has been seen already.
  dropStored(upTo) {
    for (const [id, item] of [...this.#unsent]) {
      if (Number(item.dataset.stored ?? Infinity) <= upTo) this.removeUnsent(id);
    }
  }

  removeUnsent(id) {
    const item = this.#unsent.get(id);
    if (!item) return;
    this.#unsent.delete(id);
    this.#change(() => this.#remove(item));
  }

  #addOrSettle(message, isOwn) {
    const unsent = isOwn ? this.#unsent.get(message.id) : undefined;
    if (unsent) {
      this.#settle(unsent, message);
      return;
    }
    const item = makeMessage(message, isOwn);
    this.#setFacts(item, message);
    this.#markSent(item, message);
    this.#list.insertBefore(item, this.#firstUnsent());
    this.#messages++;
    this.#tidy(item);
  }

  #settle(item, message) {
    this.#unsent.delete(message.id);
    item.querySelector(".state")?.remove();
    item.querySelector(".text").replaceChildren(linkify(message.text));
    item.querySelector(".nick").textContent = message.nick;
    item.querySelector("time").replaceWith(makeTime(message.at));
    this.#setFacts(item, message);
    const place = this.#firstUnsent();
    if (place && !(item.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING)) {
      this.#detach(item);
      this.#list.insertBefore(item, place);
    }
    this.#markSent(item, message);
    this.#tidy(item);
  }

  #setFacts(item, { at, nick, id }) {
    this.#facts.set(item, { at, nick, id });
  }

  #markSent(item, message) {
    item.dataset.seq = message.seq;
    item.dataset.state = "sent";
  }

  #setState(item, state, reason) {
    item.dataset.state = state;
    item.querySelector(".state")?.remove();
    if (state === "stored") return;
    const line = make("div", "state");
    if (state === "pending") {
      line.append(make("span", "", "Sending…"));
    } else {
      const { id } = this.#facts.get(item);
      line.append(
        make("span", "", `Not sent. ${reason}`),
        makeButton("Retry", () => this.#handlers.onRetry(id)),
        makeButton("Discard", () => this.#handlers.onDiscard(id)),
      );
    }
    item.append(line);
  }

  #addDivider(kind) {
    const item = makeDivider(kind, DIVIDER_TEXT[kind]);
    this.#list.insertBefore(item, this.#firstUnsent());
    return item;
  }

  #placeUnread() {
    this.#removeUnread();
    this.#unread = this.#addDivider("unread");
  }

  #removeUnread() {
    const item = this.#unread;
    this.#unread = null;
    if (item?.isConnected) this.#detach(item);
  }

  #firstUnsent() {
    return this.#unsent.values().next().value ?? null;
  }

  #change(action) {
    action();
    if (this.#messages > MAX_MESSAGES || this.#list.childElementCount > MAX_ITEMS) this.#trim();
    this.#scroller.grown();
  }

  #trim() {
    this.#scroller.keepPlace(this.#list.lastElementChild, () => {
      while (this.#messages > MAX_MESSAGES || this.#list.childElementCount > MAX_ITEMS) {
        // The separator of the oldest day stays while that day has items.
        const first = this.#list.firstElementChild;
        this.#remove(isDay(first) ? first.nextElementSibling : first);
      }
    });
  }

  #remove(item) {
    if (isMessage(item)) this.#messages--;
    if (item === this.#unread) this.#unread = null;
    this.#detach(item);
  }

  #detach(item) {
    const before = item.previousElementSibling;
    const after = item.nextElementSibling;
    item.remove();
    if (isDay(before) && (after === null || isDay(after))) before.remove();
    if (after) this.#tidy(after);
  }

  // Sets what depends on neighbours, for an item and the one after it.
  #tidy(item) {
    this.#tidyOne(item);
    if (item.nextElementSibling) this.#tidyOne(item.nextElementSibling);
  }

  #tidyOne(item) {
    const facts = this.#facts.get(item);
    if (!facts) return;
    const day = dayKey(facts.at);
    while (isDay(item.previousElementSibling) && item.previousElementSibling.dataset.day !== day) {
      item.previousElementSibling.remove();
    }
    if (this.#dayBefore(item) !== day) {
      item.before(makeDay(facts.at));
    }
    if (isMessage(item)) item.classList.toggle("continued", this.#continues(item, facts));
  }

  #dayBefore(item) {
    for (let other = item.previousElementSibling; other; other = other.previousElementSibling) {
      if (isDay(other)) return other.dataset.day;
      const facts = this.#facts.get(other);
      if (facts) return dayKey(facts.at);
    }
    return "";
  }

  #continues(item, { at, nick }) {
    const before = item.previousElementSibling;
    if (!isMessage(before)) return false;
    const facts = this.#facts.get(before);
    return facts.nick === nick && Math.abs(at - facts.at) < GROUP_MS;
  }
}
