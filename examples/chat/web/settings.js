// What the page remembers between visits: nickname, room, and whether to notify.
// Storage may be forbidden or full, and then the page simply forgets.

import { newId } from "./protocol.js";

const NICK_KEY = "tandem-chat.nick";
const ROOM_KEY = "tandem-chat.room";
const NOTIFY_KEY = "tandem-chat.notify";
const CLIENT_KEY = "tandem-chat.client";
const TOKEN_KEY = "tandem-chat.token";
const DEFAULT_ROOM = "lobby";

function read(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function remember({ nick, room }) {
  try {
    localStorage.setItem(NICK_KEY, nick);
    localStorage.setItem(ROOM_KEY, room);
  } catch {
    // See above: forgetting is fine.
  }
}

export function rememberNotifying(isOn) {
  try {
    localStorage.setItem(NOTIFY_KEY, isOn ? "on" : "");
  } catch {
    // As above.
  }
}

export function recallNotifying() {
  return read(NOTIFY_KEY) === "on";
}

// A token is kept for this tab and this visit only.
export function rememberToken(token) {
  try {
    sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // As above.
  }
}

export function recallToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? "";
  } catch {
    return "";
  }
}

// The storage of all tabs, or null.
export function sharedStorage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export function recall() {
  return { nick: read(NICK_KEY), room: roomFromHash() || read(ROOM_KEY) || DEFAULT_ROOM };
}

export function roomFromHash() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim();
  } catch {
    return "";
  }
}

// A switch of rooms is a step the back button can undo; a first join is not.
export function showRoomInHash(room, { isStep }) {
  if (roomFromHash() === room) return;
  const hash = `#${encodeURIComponent(room)}`;
  if (isStep) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}

// What this tab is called at the server, so that it finds its place again after
// the connection was lost. Nobody else is told.
let client = "";

export function clientName() {
  if (client !== "") return client;
  try {
    client = sessionStorage.getItem(CLIENT_KEY) ?? "";
    if (client === "") {
      client = newId();
      sessionStorage.setItem(CLIENT_KEY, client);
    }
  } catch {
    client ||= newId();
  }
  return client;
}
