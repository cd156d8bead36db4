// The message list: elements, their order, day separators, scrolling and the
// bound on how many there are. What is new or a repeat is decided elsewhere.

import { linkify } from "./linkify.js";

const MAX_MESSAGES = 500;
const MAX_ITEMS = 800; // with notices, day separators and dividers

// Messages of one person within this time stand under one heading.
const GROUP_MS = 3 * 60_000;

// Fractions of a pixel and a bouncing scroll still count as "at the bottom".
const BOTTOM_SLACK_PX = 24;

// Long enough for a screen reader to ignore what was added meanwhile.
const QUIET_MS = 250;

const HUES = 8;

const DIVIDER_TEXT = {
  restart: "The server was restarted. The conversation goes on here.",
  gap: "Some messages from while you were away are not shown.",
};

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayThisYear = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const dayOtherYear = new Intl.DateTimeFormat("en", { dateStyle: "long" });

function dayKey(at) {
  return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
}

function dayLabel(at) {
  const format = at.getFullYear() === new Date().getFullYear() ? dayThisYear : dayOtherYear;
  return format.format(at);
}

export function initialOf(nick) {
  return [...nick.trim()][0]?.toUpperCase() ?? "?";
}

export function hueOf(nick) {
  let sum = 0;
  for (const character of nick) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  return `hue-${sum % HUES}`;
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

function makeButton(label, onClick) {
  const button = make("button", "quiet", label);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

const isDay = (item) => item?.classList.contains("day") ?? false;
const isMessage = (item) => item?.classList.contains("message") ?? false;
const isSent = (item) => isMessage(item) && item.dataset.state === "sent";

export class MessageList {
  #log;
  #list;
  #button;
  #handlers;
  #facts = new WeakMap(); // item -> {at, nick, id}; only dated items have them
  #unsent = new Map(); // id -> item, in the order of the page: always the last ones
  #messages = 0;
  #stuck = true;
  #lastTop = 0;
  #rounding = 0;
  #unseen = 0;
  #quietTimer = 0;

  // Handlers: onRetry(id), onDiscard(id), onDropped({seq, id}).
  constructor(log, button, handlers) {
    this.#log = log;
    this.#list = log.querySelector("ol");
    this.#button = button;
    this.#handlers = handlers;
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#stuck && this.#toBottom()).observe(log);
    button.addEventListener("click", () => {
      this.#toBottom();
      log.focus({ preventScroll: true });
    });
  }

  clear() {
    this.#list.replaceChildren();
    this.#unsent.clear();
    this.#messages = 0;
    this.#stuck = true;
    this.#toBottom();
  }

  // History: shown, but not read aloud.
  replay(messages, { divider, me }) {
    this.#log.setAttribute("aria-live", "off");
    this.#log.setAttribute("aria-busy", "true");
    clearTimeout(this.#quietTimer);
    this.#change(() => {
      if (divider !== "") this.#addDivider(divider);
      for (const message of messages) this.#addOrSettle(message, message.nick === me);
    });
    if (!this.#stuck) this.#countUnseen(messages.filter((message) => message.nick !== me).length);
    this.#quietTimer = setTimeout(() => {
      this.#log.setAttribute("aria-busy", "false");
      this.#log.setAttribute("aria-live", "polite");
    }, QUIET_MS);
  }

  add(message, { divider, me }) {
    const isOwn = message.nick === me;
    this.#change(() => {
      if (divider !== "") this.#addDivider(divider);
      this.#addOrSettle(message, isOwn);
    });
    if (!this.#stuck && !isOwn) this.#countUnseen(1);
  }

  addNotice({ kind, nick, at }) {
    const item = make("li", "notice");
    const name = make("bdi", "", nick);
    item.append(name, kind === "join" ? " joined" : " left");
    this.#facts.set(item, { at });
    this.#change(() => {
      this.#list.insertBefore(item, this.#firstUnsent());
      this.#tidy(item);
    });
  }

  // Draws an unacknowledged message, or its new state.
  showUnsent(entry) {
    let item = this.#unsent.get(entry.id);
    if (item) {
      this.#change(() => this.#setState(item, entry.state, entry.reason));
      return;
    }
    item = this.#makeMessage(entry, true);
    this.#setState(item, entry.state, entry.reason);
    this.#stuck = true; // one wants to see what one has just written
    this.#change(() => {
      this.#list.append(item);
      this.#messages++;
      this.#unsent.set(entry.id, item);
      this.#tidy(item);
    });
  }

  removeUnsent(id) {
    const item = this.#unsent.get(id);
    if (!item) return;
    this.#unsent.delete(id);
    this.#change(() => this.#remove(item));
  }

  #addOrSettle(message, isOwn) {
    const unsent = this.#unsent.get(message.id);
    if (unsent) {
      this.#settle(unsent, message);
      return;
    }
    const item = this.#makeMessage(message, isOwn);
    this.#markSent(item, message);
    this.#list.insertBefore(item, this.#placeFor(message.seq));
    this.#messages++;
    this.#tidy(item);
  }

  #settle(item, message) {
    this.#unsent.delete(message.id);
    item.querySelector(".state")?.remove();
    item.querySelector(".text").replaceChildren(linkify(message.text));
    item.querySelector(".nick").textContent = message.nick;
    this.#setTime(item, message);
    const before = item.previousElementSibling;
    const inPlace = !isMessage(before) || (isSent(before) && Number(before.dataset.seq) < message.seq);
    if (!inPlace) {
      this.#detach(item);
      this.#list.insertBefore(item, this.#placeFor(message.seq));
    }
    this.#markSent(item, message);
    this.#tidy(item);
  }

  #markSent(item, message) {
    item.dataset.seq = message.seq;
    item.dataset.state = "sent";
  }

  #setState(item, state, reason) {
    item.dataset.state = state;
    item.querySelector(".state")?.remove();
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

  #makeMessage(message, isOwn) {
    const item = make("li", `message ${hueOf(message.nick)}`);
    item.classList.toggle("own", isOwn);
    item.dataset.id = message.id;
    const ring = make("span", "ring");
    ring.dataset.initial = initialOf(message.nick);
    ring.setAttribute("aria-hidden", "true");
    const nick = make("span", "nick", message.nick);
    nick.dir = "auto";
    const text = make("div", "text");
    text.dir = "auto";
    text.append(linkify(message.text));
    item.append(ring, nick, make("time", ""), text);
    this.#setTime(item, message);
    return item;
  }

  #setTime(item, { at, nick, id }) {
    const time = item.querySelector("time");
    time.dateTime = at.toISOString();
    time.textContent = clock.format(at);
    time.title = fullTime.format(at);
    this.#facts.set(item, { at, nick, id });
  }

  #addDivider(kind) {
    const item = make("li", "divider", DIVIDER_TEXT[kind]);
    item.dataset.kind = kind;
    this.#list.insertBefore(item, this.#firstUnsent());
  }

  #firstUnsent() {
    return this.#unsent.values().next().value ?? null;
  }

  // Almost always the end of what is sent; a message that was missed goes
  // back to its place, but never to before a restart of the server.
  #placeFor(seq) {
    let place = this.#firstUnsent();
    let item = place ? place.previousElementSibling : this.#list.lastElementChild;
    for (; item && item.dataset.kind !== "restart"; item = item.previousElementSibling) {
      if (!isSent(item)) continue;
      if (Number(item.dataset.seq) <= seq) break;
      place = item;
    }
    return place;
  }

  #change(action) {
    action();
    if (this.#messages > MAX_MESSAGES || this.#list.childElementCount > MAX_ITEMS) this.#trim();
    if (this.#stuck) this.#toBottom();
  }

  #trim() {
    const newest = this.#list.lastElementChild;
    const topBefore = this.#stuck ? 0 : newest.getBoundingClientRect().top;
    while (this.#messages > MAX_MESSAGES || this.#list.childElementCount > MAX_ITEMS) {
      // The separator of the oldest day stays while that day has items.
      const first = this.#list.firstElementChild;
      const oldest = isDay(first) ? first.nextElementSibling : first;
      if (isSent(oldest)) {
        this.#handlers.onDropped({ seq: Number(oldest.dataset.seq), id: oldest.dataset.id });
      }
      this.#remove(oldest);
    }
    if (!this.#stuck) this.#scrollBy(newest.getBoundingClientRect().top - topBefore);
  }

  // Heights have fractions and scroll positions may not; what is lost to
  // rounding is carried over, or the text would creep under the reader's eyes.
  #scrollBy(distance) {
    const exact = this.#log.scrollTop + distance + this.#rounding;
    this.#log.scrollTop = exact;
    this.#lastTop = this.#log.scrollTop;
    this.#rounding = exact - this.#lastTop;
  }

  #remove(item) {
    if (isMessage(item)) this.#messages--;
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
      const separator = make("li", "day", dayLabel(facts.at));
      separator.dataset.day = day;
      item.before(separator);
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

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight <= BOTTOM_SLACK_PX) {
      this.#stuck = true;
      this.#countUnseen(0);
    } else if (scrollTop < this.#lastTop) {
      // Only scrolling up lets go: growing content is no wish of the reader.
      this.#stuck = false;
    }
    this.#lastTop = scrollTop;
  }

  #toBottom() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#lastTop = this.#log.scrollTop;
    this.#stuck = true;
    this.#countUnseen(0);
  }

  #countUnseen(more) {
    this.#unseen = more === 0 ? 0 : this.#unseen + more;
    this.#button.hidden = this.#unseen === 0;
    this.#button.textContent = this.#unseen === 1 ? "1 new message" : `${this.#unseen} new messages`;
  }
}
