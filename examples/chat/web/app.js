// The wiring: who is told when the connection, the server or the reader does
// something.

import { Admission } from "./admission.js";
import { COMMANDS, readCommand } from "./commands.js";
import { Composer } from "./composer.js";
import { Connection, socketAddress } from "./connection.js";
import { Conversation } from "./conversation.js";
import { fieldOf } from "./joinform.js";
import { Membership } from "./membership.js";
import { MessageList } from "./messages.js";
import { Notifier } from "./notify.js";
import { MAX_UNSENT, Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { DEFAULT_LIMITS, VERSION, join, nickProblem, roomProblem, say } from "./protocol.js";
import { RoomList } from "./roomlist.js";
import { RoundTrip } from "./roundtrip.js";
import { clientName, recall, remember, roomFromHash, showRoomInHash } from "./settings.js";
import { Typing } from "./typing.js";
import { View } from "./view.js";

// A slow client is not a dead one.
const SLOW_PATIENCE = 8;

const SLOW_CONSUMER_CODE = 1013;
const CUT_CODE = 1006;

let limits = DEFAULT_LIMITS;
let members = [];
let server = { node: "", connection: "" };
let isStoring = true;
let isSlow = false;
let roundTripTime = null;
let status = { state: "offline", reason: "idle" };

const find = (id) => document.getElementById(id);

const answerTime = () => (isSlow ? SLOW_PATIENCE : 1);
const sendInRoom = (message) => membership.isJoined && !membership.isAsked && connection.send(message);

const view = new View({
  onChangeRoom: () => showForm(membership.current),
  onConnectNow() {
    if (isSlow) setSlow(false);
    else connection.start();
  },
});

const admission = new Admission({
  onAsk: askToJoin,
  onCancel: cancelJoin,
  onToken: (token) => connection.lead({ token }),
});
const { form } = admission;

const composer = new Composer({
  onSay: readLine,
  onWriting(text) {
    if (!text.startsWith("/")) typing.tell();
  },
  onProblem: (text) => view.alert(text),
});

const list = new MessageList(find("messages"), find("new-messages"), {
  onRetry(id) {
    list.removeUnsent(id);
    outbox.retry(id);
    composer.focus();
  },
  onDiscard(id) {
    outbox.discard(id);
    list.removeUnsent(id);
    composer.focus();
  },
});

const connection = new Connection(
  { url: socketAddress("ws"), token: "" },
  { onState: connectionChanged, onOpen: () => membership.opened(), onDown: connectionLost, onFailed: connectionFailed, onMessage: received },
);

const membership = new Membership({
  sendJoin: (wanted) => connection.send(join(wanted, clientName(), conversation.positionIn(wanted.room))),
  onRefused: joinRefused,
  onSilence: () => connection.restart(),
  answerTime,
});

const conversation = new Conversation(list, {
  // Our own message that comes back is stored. Ids are no secret: another's message
  // with one of ours is another's.
  onStored({ id, room, nick }) {
    const entry = outbox.get(id);
    if (entry?.room === room && entry.nick === nick) outbox.acknowledge(id);
  },
  onHeard: (message) => notifier.tell(message),
  onChange() {
    view.setTitle(membership.current?.room ?? "", conversation.unread);
    showStatus();
  },
});

const outbox = new Outbox({
  // A message has no room of its own: after a join was sent it would end up in
  // whichever room that join leads to.
  transmit: (entry) => sendInRoom(say(entry.id, entry.text)),
  onChange(entry) {
    if (entry.room === membership.current?.room) list.showUnsent(entry);
    if (entry.state === "failed") view.announce(`Message not sent. ${entry.reason}`);
  },
  answerTime,
  lastReceived: () => connection.lastReceived,
  onSilence: () => connection.restart(),
});

const roomList = new RoomList({
  send: sendInRoom,
  seen: () => conversation.seen(),
  onEnter: (room) => askToJoin({ nick: membership.current.nick, room }),
});

const typing = new Typing(find("typing"), sendInRoom);
const notifier = new Notifier(find("notify"), (text) => view.announce(text));
const roundTrip = new RoundTrip({
  send: sendInRoom,
  onResult(milliseconds) {
    roundTripTime = milliseconds;
    showStatus();
  },
  onOverdue(since) {
    if (!isSlow && connection.lastReceived < since) connection.restart();
  },
});

const panel = new Panel({ onSlow: setSlow, onWatched: (isOpen) => roundTrip.watch(isOpen) });

// Joining.

function showForm(values) {
  form.show({ ...values, canGoBack: membership.wanted !== null && membership.current !== null });
}

// Result: whether it was asked.
function askToJoin({ nick, room }) {
  if (membership.isAsked) return false;
  const badNick = nickProblem(nick, limits);
  const badRoom = roomProblem(room, limits);
  if (badNick || badRoom) {
    refuseJoin(badNick || badRoom, badNick ? "nick" : "room");
    return false;
  }
  const { current } = membership;
  if (membership.isJoined && current.room === room && current.nick === nick) {
    view.showChat();
    composer.focus();
    return true;
  }
  membership.ask({ room, nick });
  form.setBusy(true);
  if (connection.isOpen) membership.send();
  else connection.start();
  return true;
}

function cancelJoin() {
  const wasAsked = membership.isAsked;
  form.setBusy(false);
  if (!membership.cancel()) {
    connection.stop();
    return;
  }
  // An answer may be on its way; a new connection is one that never asked.
  if (wasAsked && connection.isOpen) connection.restart();
  view.showChat();
  composer.focus();
}

function joined(message) {
  const { before, isAnswer } = membership.joined(message);
  const { room, nick } = membership.current;
  remember(membership.current);
  showRoomInHash(room, { isStep: before !== null && before.room !== room });
  // Before the history is drawn: a list without a size has no bottom.
  form.setBusy(false);
  if (isAnswer) view.showChat();

  conversation.joined(message, outbox.forRoom(room));
  view.setRoom(room);
  roomList.setCurrent(room);
  setMembers(message.members);
  typing.clear();
  outbox.opened(room);
  roomList.ask();
  roundTrip.start();
  showStatus();
  if (isAnswer) {
    composer.focus();
    view.announce(`You are in ${room} as ${nick}.`);
  }
}

function joinRefused(refused, { code, text }) {
  const { current, wanted } = membership;
  if (current !== null) showRoomInHash(current.room, { isStep: false });
  form.setBusy(false);
  if (membership.isJoined) outbox.resume();
  showStatus();
  if (view.isChat && wanted !== null && code !== "nick_taken") {
    view.alert(text);
    return;
  }
  showForm(refused);
  form.showError(text, fieldOf(code));
}

// Said in the form, or over the chat when that was the form.
function refuseJoin(text, field) {
  if (view.isChat) view.alert(text);
  else form.showError(text, field);
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
    membership.isAsked = false;
    form.setBusy(false);
    if (view.isChat) view.announce(next.reason);
    else form.showError(next.reason);
  }
}

function connectionLost(end) {
  membership.lost();
  outbox.closed(end.code);
  roundTrip.stop();
  roomList.stop();
  typing.clear();
  // Nobody waits for a connection that only stood open behind the form.
  if (membership.wanted === null) connection.stop();
  else if (isSlow && !end.isOurs && [SLOW_CONSUMER_CODE, CUT_CODE].includes(end.code)) {
    connection.halt(
      `The server has closed this slow connection (${end.code}): more was waiting for it than may wait. ` +
        "Nothing is lost: back at full speed you get what you missed.",
    );
  }
}

// A handshake failed; why, a page cannot see.
async function connectionFailed() {
  if (isSlow) {
    setSlow(false);
    view.alert("There is no place for another slow client just now.");
  }
  const problem = await admission.problem();
  if (problem === "" || connection.isOpen) return;
  membership.wanted = null;
  connection.halt(problem);
  showForm(membership.current ?? recall());
  form.showError(problem, "token");
}

function setSlow(next) {
  if (isSlow === next) return;
  isSlow = next;
  panel.setSlow(next);
  connection.lead({ url: socketAddress(next ? "slow" : "ws") });
  if (membership.wanted !== null && status.state !== "offline") connection.renew();
  showStatus();
}

function showStatus() {
  const isSettled = membership.isJoined || membership.wanted === null;
  const state = view.setStatus(status, { isSettled, isStoring, isSlow, roundTrip: roundTripTime });
  const isOpen = status.state === "connected";
  panel.show({
    state,
    node: isOpen ? server.node : "",
    connection: isOpen ? server.connection : "",
    roundTrip: roundTripTime,
    last: conversation.last,
    end: connection.lastEnd,
  });
}

// What the server says.

const handlers = {
  welcome(message) {
    if (message.version !== VERSION) {
      connection.halt("The chat has been updated. Please reload the page.");
      return;
    }
    limits = message.limits;
    server = message;
    composer.setLimit(limits.text);
    outbox.retryWithin = limits.retry * 1000;
    handlers.state(message);
  },
  state(message) {
    if (isStoring && !message.storing) view.announce("Messages cannot be stored right now; yours wait here.");
    if (!isStoring && message.storing) view.announce("Messages are stored again.");
    isStoring = message.storing;
    outbox.setStoring(isStoring);
    showStatus();
  },
  joined,
  history: (message) => conversation.history(message),
  message(message) {
    if (message.room === membership.current?.room) typing.hasStopped(message.nick);
    conversation.heard(message);
  },
  ack(message) {
    outbox.acknowledge(message.id);
    conversation.acknowledged(message);
  },
  notice(notice) {
    const { current } = membership;
    if (notice.room !== current?.room) return;
    if (notice.members) setMembers(notice.members);
    if (notice.kind === "leave") typing.hasStopped(notice.nick);
    if (notice.nick !== current.nick) list.addNotice(notice);
  },
  typing({ room, nick }) {
    const { current } = membership;
    if (room === current?.room && nick !== current.nick) typing.isWriting(nick);
  },
  whisper: (whisper) => list.addWhisper(whisper),
  rooms: (message) => roomList.answered(message.rooms),
  pong: (message) => roundTrip.answered(message),
  error: refused,
};

function received(message) {
  handlers[message.type](message);
}

function refused(error) {
  const { code, id, text } = error;
  const entry = outbox.get(id);
  const { wanted } = membership;
  if (code === "replaced") {
    connection.halt(`${text} Only one of them can be in it.`);
  } else if (!entry) {
    if (wanted !== null && (!membership.isJoined || membership.isAsked)) membership.refused(error);
    else if (code !== "too_fast" && code !== "unavailable") view.alert(text); // those ask again by themselves
  } else if (code === "not_joined" && entry.room === wanted?.room) {
    outbox.closed();
    membership.forgotten();
    showStatus();
  } else if (code === "too_fast" || code === "unavailable") {
    outbox.refusedForNow(id, code === "too_fast");
    if (code === "too_fast") view.alert("That was faster than the chat takes. What you wrote waits, and follows by itself.");
  } else {
    outbox.fail(id, text);
  }
}

// What the reader does.

// Result: whether the text was taken, and is not needed any more.
function readLine(text) {
  view.clearAlert();
  const read = readCommand(text);
  if (read.problem) {
    view.alert(read.problem);
    return false;
  }
  if (read.say === undefined) return run(read);
  if (outbox.isFull) {
    view.alert(`${MAX_UNSENT} messages are waiting to be sent. Please wait until some of them are.`);
    return false;
  }
  list.removeUnreadDivider();
  typing.sent();
  outbox.add(membership.current.room, membership.current.nick, read.say);
  return true;
}

function run({ command, argument }) {
  const { room, nick } = membership.current;
  const commands = {
    help: () => view.showHelp(),
    nick: () => askToJoin({ nick: argument, room }),
    join: () => askToJoin({ nick, room: argument.replace(/^#/, "") }),
    rooms: () => list.addHint(`Rooms: ${roomList.names.map((name) => `#${name}`).join(", ")}`),
    who: () => list.addHint(`In #${room}: ${members.join(", ")}`),
    slow: () => setSlow(!isSlow),
  };
  return commands[command]() ?? true;
}

function setMembers(next) {
  members = next;
  view.setMembers(members, membership.current.nick);
  roomList.setMembers(members.length);
}

addEventListener("hashchange", () => {
  const room = roomFromHash();
  const { current } = membership;
  if (room === "" || membership.isAsked) return;
  if (view.isChat && room !== current.room) askToJoin({ nick: current.nick, room });
  else if (!view.isChat) form.setRoom(room);
});

view.fillHelp(COMMANDS);
composer.setLimit(limits.text);
showStatus();
showForm(recall());
admission.begin();
