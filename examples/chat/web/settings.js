// What the page remembers between visits: nickname and room. Storage may be
// forbidden or full, and then the page simply forgets.

const NICK_KEY = "tandem-chat.nick";
const ROOM_KEY = "tandem-chat.room";
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
