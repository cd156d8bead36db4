// The wire protocol as values: what may be sent, what may arrive, and the
// limits both sides agree on. Not a connection: nothing here sends a byte.

export const SUBPROTOCOL = "chat.v1+json";
export const VERSION = 1;

// Used until the server's welcome states its own. All of them count UTF-8 bytes.
export const DEFAULT_LIMITS = Object.freeze({ text: 2000, nick: 24, room: 32 });

const encoder = new TextEncoder();

export function byteLength(text) {
  return encoder.encode(text).length;
}

export function join(room, nick, client) {
  return { type: "join", room, nick, client };
}

export function say(id, text) {
  return { type: "say", id, text };
}

// crypto.randomUUID exists only in secure contexts, and a phone that opens the
// page over plain HTTP on the local network is not in one.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A friendly sentence when the name cannot be right, or "" when the server may
// be asked. The server decides; this only saves a round trip.
export function nickProblem(nick, limits) {
  if (nick === "") return "Choose a nickname.";
  if (!/^[\p{L}\p{M}\p{N}_\- ]+$/u.test(nick)) {
    return "A nickname may hold letters, digits, spaces, “-” and “_”.";
  }
  if (byteLength(nick) > limits.nick) {
    return `That nickname is too long: at most ${limits.nick} bytes.`;
  }
  return "";
}

export function roomProblem(room, limits) {
  if (room === "") return "Choose a room.";
  if (!/^[\p{L}\p{M}\p{N}_-]+$/u.test(room)) {
    return "A room name may hold letters, digits, “-” and “_”.";
  }
  if (byteLength(room) > limits.room) {
    return `That room name is too long: at most ${limits.room} bytes.`;
  }
  return "";
}

const isText = (value) => typeof value === "string";
const isTextList = (value) => Array.isArray(value) && value.every(isText);
const isLimit = (value) => Number.isSafeInteger(value) && value > 0;

function isChatMessage(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    isText(value.room) &&
    Number.isSafeInteger(value.seq) &&
    value.seq >= 0 &&
    isText(value.nick) &&
    isText(value.text)
  );
}

function readLimits(value) {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits)) {
    if (isLimit(value?.[name])) limits[name] = value[name];
  }
  return limits;
}

function readChatMessage(value) {
  return {
    type: "message",
    room: value.room,
    seq: value.seq,
    prev: Number.isSafeInteger(value.prev) ? value.prev : 0,
    nick: value.nick,
    text: value.text,
    at: readTime(value.at),
    id: isText(value.id) ? value.id : "",
  };
}

function readTime(value) {
  const at = new Date(isText(value) ? value : NaN);
  return Number.isNaN(at.getTime()) ? new Date() : at;
}

// Turns one text message of the server into a checked value, or null when it
// is none this page knows. A newer server may say more than this page reads.
export function parse(data) {
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object") return null;
  switch (value.type) {
    case "welcome":
      return { type: "welcome", version: value.version, limits: readLimits(value.limits) };
    case "joined":
      if (!isText(value.room) || !isText(value.nick) || !isTextList(value.members)) return null;
      return {
        type: "joined",
        room: value.room,
        nick: value.nick,
        members: value.members,
        history: (Array.isArray(value.history) ? value.history : [])
          .filter(isChatMessage)
          .map(readChatMessage),
      };
    case "ack":
      return isText(value.id) ? { type: "ack", id: value.id } : null;
    case "message":
      return isChatMessage(value) ? readChatMessage(value) : null;
    case "notice":
      if (!isText(value.room) || !isText(value.nick) || !isText(value.kind)) return null;
      return {
        type: "notice",
        kind: value.kind,
        room: value.room,
        nick: value.nick,
        at: readTime(value.at),
        members: isTextList(value.members) ? value.members : null,
      };
    case "error":
      return {
        type: "error",
        code: isText(value.code) ? value.code : "",
        text: isText(value.text) && value.text !== "" ? value.text : "The server refused that.",
        id: isText(value.id) ? value.id : "",
      };
    default:
      return null;
  }
}
