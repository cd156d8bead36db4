// The wiring: which room is wanted, which one is on the page, and who is told
// when the connection, the server or the reader does something.

import { Connection } from "./connection.js";
import { MessageList } from "./messages.js";
import { MAX_UNSENT, Outbox } from "./outbox.js";
import { DEFAULT_LIMITS, VERSION, join, nickProblem, roomProblem, say } from "./protocol.js";
import { clientName, recall, remember, roomFromHash, showRoomInHash } from "./settings.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

// The server may hold our old connection for a moment after we have lost it,
// and then it is our own name that is taken.
const REJOIN_TRIES = 5;
const REJOIN_DELAY_MS = 400;
const LINGERING_CODES = new Set(["nick_taken", "room_full", "rooms_full", "too_fast", "unavailable"]);

// An acknowledged message follows; if it was stored long ago it does not.
const STORED_GRACE_MS = 3_000;

const JOIN_TIMEOUT_MS = 10_000;

const FIELD_OF_CODE = {
  nick_taken: "nick",
  bad_nick: "nick",
  bad_room: "room",
  room_full: "room",
  rooms_full: "room",
};

let limits = DEFAULT_LIMITS;
let current = null; // {room, nick} of what is on the page
let wanted = null; // {room, nick} the connection shall be in, or null
let isJoined = false; // on this very connection
let isAsked = false; // by the reader, who waits for an answer
let rejoinTries = 0;
let joinTimer = 0;
let unread = 0;
let timeline = new Timeline();
let status = { state: "offline", reason: "idle" };

const view = new View({
  onJoin: askToJoin,
  onCancel: cancelJoin,
  onChangeRoom: () => showForm(current),
  onConnectNow: () => connection.start(),
  onSay: saySomething,
});

const list = new MessageList(
  document.getElementById("messages"),
  document.getElementById("new-messages"),
  {
    onRetry(id) {
      outbox.retry(id);
      view.focusComposer();
    },
    onDiscard(id) {
      outbox.discard(id);
      list.removeUnsent(id);
      view.focusComposer();
    },
    onDropped: (message) => timeline.forget(message),
  },
);

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const connection = new Connection(`${scheme}//${location.host}/ws`, {
  onState: connectionChanged,
  onOpen: connectionOpened,
  onDown: connectionLost,
  onMessage: received,
});

const outbox = new Outbox({
  // A message has no room of its own: after a join was sent it would end up in
  // whichever room that join leads to.
  transmit: (entry) => isJoined && !isAsked && connection.send(say(entry.id, entry.text)),
  onChange(entry) {
    if (entry.room === current?.room) list.showUnsent(entry);
    if (entry.state === "failed") view.announce(`Message not sent. ${entry.reason}`);
  },
  lastReceived: () => connection.lastReceived,
  onSilence: () => connection.restart(),
});

// Joining.

function showForm(values) {
  view.showForm({ ...values, canGoBack: wanted !== null && current !== null });
}

function askToJoin({ nick, room }) {
  if (isAsked) return;
  view.clearFormError();
  const badNick = nickProblem(nick, limits);
  const badRoom = roomProblem(room, limits);
  if (badNick || badRoom) {
    refuseJoin(badNick || badRoom, badNick ? "nick" : "room");
    return;
  }
  if (isJoined && current.room === room && current.nick === nick) {
    view.showChat();
    return;
  }
  wanted = { room, nick };
  isAsked = true;
  rejoinTries = 0;
  view.setFormBusy(true);
  if (connection.isOpen) sendJoin();
  else connection.start();
}

function sendJoin() {
  clearTimeout(joinTimer);
  if (!connection.send(join(wanted.room, wanted.nick, clientName()))) return;
  joinTimer = setTimeout(() => connection.restart(), JOIN_TIMEOUT_MS);
}

function cancelJoin() {
  const wasAsked = isAsked;
  isAsked = false;
  if (current === null || wanted === null) {
    wanted = null;
    clearTimeout(joinTimer);
    connection.stop();
    view.setFormBusy(false);
    return;
  }
  wanted = current;
  // An answer may be on its way; a new connection is one that never asked.
  if (wasAsked && connection.isOpen) connection.restart();
  view.showChat();
}

function joined(message) {
  clearTimeout(joinTimer);
  const isSameRoom = current?.room === message.room;
  const isFirst = current === null;
  const isAnswer = isAsked || isFirst;
  current = wanted = { room: message.room, nick: message.nick };
  isJoined = true;
  isAsked = false;
  rejoinTries = 0;
  remember(current);
  showRoomInHash(current.room, { isStep: !isFirst && !isSameRoom });

  if (!isSameRoom) {
    timeline = new Timeline();
    list.clear();
    for (const entry of outbox.forRoom(current.room)) list.showUnsent(entry);
  }
  // Before the history is drawn: a list without a size has no bottom.
  if (isAnswer) view.showChat();
  view.setRoom(current.room);
  view.setMembers(message.members, current.nick);
  const { fresh, divider } = timeline.merge(message.history);
  list.replay(fresh, { divider, me: current.nick });
  for (const { id } of message.history) {
    if (outbox.acknowledge(id)) list.removeUnsent(id); // unless it was just drawn as sent
  }
  outbox.opened(current.room);
  showStatus();
  countUnread(0);
  if (isAnswer) view.announce(`You are in ${current.room} as ${current.nick}.`);
}

function joinRefused({ code, text }) {
  clearTimeout(joinTimer);
  const isRejoin = !isAsked && current !== null;
  if (isRejoin && LINGERING_CODES.has(code) && rejoinTries < REJOIN_TRIES) {
    rejoinTries++;
    joinTimer = setTimeout(sendJoin, rejoinTries * REJOIN_DELAY_MS);
    return;
  }
  const refused = wanted;
  isAsked = false;
  if (isRejoin || current === null) {
    wanted = null;
  } else {
    // A switch was refused, or a new name: the reader stays where they were.
    wanted = current;
    showRoomInHash(current.room, { isStep: false });
    if (isJoined) outbox.opened(current.room);
    else sendJoin();
  }
  showForm(refused);
  showStatus();
  view.showFormError(text, FIELD_OF_CODE[code]);
}

// Said in the form, or over the chat when the address bar was the form.
function refuseJoin(text, field) {
  if (view.isChat) view.alert(text);
  else view.showFormError(text, field);
}

// The connection.

function connectionChanged(next) {
  const before = status.state;
  status = next;
  showStatus();
  if (next.state === before) return;
  if (next.state === "reconnecting" && before === "connected") view.announce("Connection lost. Reconnecting.");
  if (next.state === "connected" && before === "reconnecting") view.announce("Connected again.");
  if (next.state === "offline" && next.reason !== "idle") view.announce("You are offline.");
  if (next.state === "stopped") {
    isAsked = false;
    view.setFormBusy(false);
    if (view.isChat) view.announce(next.reason);
    else view.showFormError(next.reason);
  }
}

function connectionOpened() {
  rejoinTries = 0;
  if (wanted !== null) sendJoin();
}

function connectionLost(closeCode) {
  clearTimeout(joinTimer);
  isJoined = false;
  outbox.closed(closeCode);
  // Nobody waits for a connection that only stood open behind the form.
  if (wanted === null) connection.stop();
}

function showStatus() {
  view.setStatus(status, isJoined || wanted === null);
}

// What the server says.

function received(message) {
  switch (message.type) {
    case "welcome":
      if (message.version !== VERSION) {
        connection.halt("The chat has been updated. Please reload the page.");
        return;
      }
      limits = message.limits;
      view.setTextLimit(limits.text);
      return;
    case "joined":
      joined(message);
      return;
    case "message":
      heard(message);
      return;
    case "notice":
      noticed(message);
      return;
    case "ack":
      setTimeout(() => {
        if (outbox.acknowledge(message.id)) list.removeUnsent(message.id);
      }, STORED_GRACE_MS);
      return;
    case "error":
      if (message.code === "replaced") connection.halt(message.text);
      else refused(message);
  }
}

function heard(message) {
  outbox.acknowledge(message.id);
  if (message.room !== current?.room) return;
  const { fresh, divider } = timeline.accept(message);
  for (const one of fresh) list.add(one, { divider, me: current.nick });
  if (message.nick !== current.nick && fresh.length > 0) countUnread(unread + 1);
}

function noticed(notice) {
  if (notice.room !== current?.room) return;
  if (notice.members) view.setMembers(notice.members, current.nick);
  if (notice.nick !== current.nick) list.addNotice(notice);
}

function refused(error) {
  const entry = outbox.get(error.id);
  if (!entry) {
    if (wanted !== null && (!isJoined || isAsked)) joinRefused(error);
    else view.alert(error.text);
    return;
  }
  if (error.code === "not_joined" && entry.room === wanted?.room) {
    outbox.closed();
    isJoined = false;
    showStatus();
    sendJoin();
  } else if (error.code === "unavailable" || (error.code === "too_fast" && entry.backlog)) {
    outbox.refusedForNow(entry.id);
  } else {
    outbox.fail(entry.id, error.text);
  }
}

// What the reader does.

function saySomething(text) {
  if (outbox.isFull) {
    view.alert(`${MAX_UNSENT} messages are waiting to be sent. Please wait for the connection.`);
    return false;
  }
  outbox.add(current.room, current.nick, text);
  return true;
}

function countUnread(count) {
  unread = document.hidden ? count : 0;
  view.setTitle(current?.room ?? "", unread);
}

document.addEventListener("visibilitychange", () => countUnread(unread));

addEventListener("hashchange", () => {
  const room = roomFromHash();
  if (room === "" || isAsked) return;
  if (view.isChat && room !== current.room) askToJoin({ nick: current.nick, room });
  else if (!view.isChat) document.getElementById("room").value = room;
});

view.setTextLimit(limits.text);
showStatus();
showForm(recall());
