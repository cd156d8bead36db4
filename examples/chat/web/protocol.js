// The wire protocol as values: what may be sent, what may arrive, and the
// limits both sides agree on. Not a connection: nothing here sends a byte.

export const SUBPROTOCOL = "chat.v1+json";
export const VERSION = 1;

// Used until the server's welcome states its own: UTF-8 bytes, and seconds for
// retry.
export const DEFAULT_LIMITS = Object.freeze({ text: 2000, nick: 24, room: 32, retry: 90 });

// What one request for unread counts may name.
export const MAX_SEEN = 20;

// More rooms than a server has are not believed.
const MAX_ROOMS = 1000;

const encoder = new TextEncoder();

export function byteLength(text) {
  return encoder.encode(text).length;
}

// Where the reader stopped in that room, if anywhere: {epoch, after}.
export function join({ room, nick }, client, position) {
  return { type: "join", room, nick, client, ...position };
}

export function say(id, text) {
  return { type: "say", id, text };
}

export function typing() {
  return { type: "typing" };
}

export function rooms(seen) {
  return { type: "rooms", seen };
}

export function ping(id) {
  return { type: "ping", id };
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
  if (!/^[A-Za-z0-9_-]+$/.test(room)) {
    return "A room name may hold the letters a–z and A–Z, digits, “-” and “_”.";
  }
  if (byteLength(room) > limits.room) {
    return `That room name is too long: at most ${limits.room} bytes.`;
  }
  return "";
}

const isText = (value) => typeof value === "string";
const isTextList = (value) => Array.isArray(value) && value.every(isText);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

const count = (value) => (isCount(value) ? value : 0);
const text = (value) => (isText(value) ? value : "");

function isChatMessage(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    isText(value.room) &&
    isCount(value.seq) &&
    isText(value.nick) &&
    isText(value.text)
  );
}

function readLimits(value) {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits)) {
    if (count(value?.[name]) > 0) limits[name] = value[name];
  }
  return limits;
}

function readChatMessage(value) {
  return {
    type: "message",
    room: value.room,
    seq: value.seq,
    prev: count(value.prev),
    nick: value.nick,
    text: value.text,
    at: readTime(value.at),
    id: text(value.id),
  };
}

function readHistory(value) {
  return (Array.isArray(value) ? value : []).filter(isChatMessage).map(readChatMessage);
}

function readTime(value) {
  const at = new Date(isText(value) ? value : NaN);
  return Number.isNaN(at.getTime()) ? new Date() : at;
}

function readRoom(value) {
  return {
    room: value.room,
    members: count(value.members),
    unread: isCount(value.unread) ? value.unread : null, // null: it was not asked
  };
}

// How each type of message is read. A reader returns null for what is none.
const READERS = {
  welcome: ({ version, connection, node, storing, limits }) => ({
    version,
    connection: text(connection),
    node: text(node),
    storing: storing !== false,
    limits: readLimits(limits),
  }),
  joined: ({ room, nick, members, epoch, seq, gap, history }) =>
    isText(room) && isText(nick) && isTextList(members)
      ? { room, nick, members, epoch: text(epoch), seq: count(seq), gap: gap === true, history: readHistory(history) }
      : null,
  history: ({ room, history }) => (isText(room) ? { room, history: readHistory(history) } : null),
  message: (value) => (isChatMessage(value) ? readChatMessage(value) : null),
  ack: ({ room, id, seq }) => (isText(room) && isText(id) ? { room, id, seq: count(seq) } : null),
  notice: ({ kind, room, nick, at, members }) =>
    isText(kind) && isText(room) && isText(nick)
      ? { kind, room, nick, at: readTime(at), members: isTextList(members) ? members : null }
      : null,
  typing: ({ room, nick }) => (isText(room) && isText(nick) ? { room, nick } : null),
  rooms: ({ rooms: list }) =>
    Array.isArray(list)
      ? { rooms: list.slice(0, MAX_ROOMS).filter((value) => isText(value?.room)).map(readRoom) }
      : null,
  whisper: (value) =>
    isText(value.nick) && isText(value.text)
      ? { room: text(value.room), nick: value.nick, text: value.text, at: readTime(value.at) }
      : null,
  state: ({ storing }) => ({ storing: storing !== false }),
  pong: ({ id }) => (isText(id) ? { id } : null),
  error: ({ code, text: sentence, id }) => ({
    code: text(code),
    text: text(sentence) || "The server refused that.",
    id: text(id),
  }),
};

// Turns one text message of the server into a checked value, or null when it
// is none this page knows. A newer server may say more than this page reads.
export function parse(data) {
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object" || !Object.hasOwn(READERS, value.type)) return null;
  const read = READERS[value.type](value);
  return read === null ? null : { ...read, type: value.type };
}
