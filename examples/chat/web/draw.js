// Makes the elements of the message list and of the people in it. Where they go
// is decided elsewhere.

import { linkify } from "./linkify.js";

const HUES = 8;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayThisYear = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const dayOtherYear = new Intl.DateTimeFormat("en", { dateStyle: "long" });

export function dayKey(at) {
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

export function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...content);
  return element;
}

export function makeButton(label, onClick) {
  const button = make("button", "quiet", label);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

export function makeDay(at) {
  const item = make("li", "day", dayLabel(at));
  item.dataset.day = dayKey(at);
  return item;
}

export function makeDivider(kind, text) {
  const item = make("li", "divider", make("span", "", text));
  item.dataset.kind = kind;
  return item;
}

export function makeNotice({ kind, nick }) {
  return make("li", "notice", make("bdi", "", nick), kind === "join" ? " joined" : " left");
}

// What the page itself says, to this reader alone.
export function makeHint(text) {
  const item = make("li", "hint", text);
  item.dir = "auto";
  return item;
}

export function makeWhisper(whisper) {
  const item = make("li", `whisper ${hueOf(whisper.nick)}`);
  const nick = make("bdi", "nick", whisper.nick);
  const text = make("div", "text", linkify(whisper.text));
  text.dir = "auto";
  item.append(make("p", "whisper-head", nick, make("span", "", " whispers, only to you"), " ", makeTime(whisper.at)), text);
  return item;
}

export function makeMessage(message, isOwn) {
  const item = make("li", `message ${hueOf(message.nick)}`);
  item.classList.toggle("own", isOwn);
  item.dataset.id = message.id;
  const ring = make("span", "ring");
  ring.dataset.initial = initialOf(message.nick);
  ring.setAttribute("aria-hidden", "true");
  const nick = make("span", "nick", message.nick);
  nick.dir = "auto";
  const text = make("div", "text", linkify(message.text));
  text.dir = "auto";
  item.append(ring, nick, makeTime(message.at), text);
  return item;
}

export function makeTime(at) {
  const time = make("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  time.title = fullTime.format(at);
  return time;
}
