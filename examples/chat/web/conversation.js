// The room on the page: what is shown of it, what is new in it, and how far it was
// read. It draws by a MessageList and knows no connection.

import { Absence } from "./absence.js";
import { ReadingMarks } from "./reading.js";
import { sharedStorage } from "./settings.js";
import { Timeline, Timelines } from "./timeline.js";

export class Conversation {
  #list;
  #handlers;
  #timelines = new Timelines();
  #marks = new ReadingMarks(sharedStorage());
  #timeline = new Timeline(); // of the room on the page
  #room = "";
  #me = "";
  #readUpTo = Infinity; // of what is replayed: what comes after it is new
  #isMarked = false; // the divider stands where it should
  #absence;

  // Handlers: onStored(message) for each message that is stored, onHeard(message)
  // for each that somebody else says now, onChange().
  constructor(list, handlers) {
    this.#list = list;
    this.#handlers = handlers;
    this.#absence = new Absence(() => this.#changed());
  }

  // How many came while nobody looked.
  get unread() {
    return this.#absence.unread;
  }

  get last() {
    return this.#timeline.last;
  }

  // What a join of that room says of what was seen.
  positionIn(room) {
    return this.#timelines.of(room).position;
  }

  // What the server is asked about: the rooms that were read, and how far.
  seen() {
    return this.#marks.seen(this.#timeline.epoch);
  }

  joined(message, unsent) {
    const isSameRoom = this.#room === message.room;
    this.#room = message.room;
    this.#me = message.nick;
    this.#timeline = this.#timelines.of(message.room);
    if (!isSameRoom) {
      this.#list.clear();
      this.#absence.reset();
      this.#list.replay(this.#timeline.messages, { me: this.#me });
      for (const entry of unsent) this.#list.showUnsent(entry);
    }
    const wasAt = this.#timeline.epoch === message.epoch ? this.#timeline.last : 0;
    this.#readUpTo = Math.max(wasAt, this.#marks.of(this.#room, message.epoch)) || Infinity;
    this.#isMarked = this.#absence.unread > 0 && this.#list.hasUnreadDivider;
    const { fresh, isGap } = this.#timeline.joined(message);
    this.#replay(fresh, isGap);
    this.#list.dropStored(this.#timeline.last);
  }

  // More of what was missed.
  history({ room, history }) {
    if (room === this.#room) this.#replay(this.#timeline.take(history), false);
  }

  heard(message) {
    if (message.room !== this.#room) return;
    this.#handlers.onStored(message);
    for (const one of this.#timeline.take([message])) {
      const isOwn = one.nick === this.#me;
      this.#list.add(one, { me: this.#me, isFirstUnread: !isOwn && this.#absence.came(1) });
      if (!isOwn) this.#handlers.onHeard(one);
    }
    this.#changed();
  }

  // What was seen already is not going to come.
  acknowledged({ room, id, seq }) {
    if (room !== this.#room) return;
    if (seq <= this.#timeline.last) this.#list.removeUnsent(id);
    else this.#list.showStored(id, seq);
  }

  // What was missed, or said before: drawn, and not read aloud.
  #replay(fresh, isGap) {
    for (const message of fresh) this.#handlers.onStored(message);
    const unread = fresh.filter(({ nick, seq }) => nick !== this.#me && seq > this.#readUpTo).length;
    this.#absence.came(unread);
    this.#list.replay(fresh, { me: this.#me, isGap, readUpTo: this.#isMarked ? Infinity : this.#readUpTo });
    this.#isMarked ||= unread > 0;
    this.#changed();
  }

  #changed() {
    if (!document.hidden && this.#timeline.last > 0) {
      this.#marks.set(this.#room, this.#timeline.epoch, this.#timeline.last);
    }
    this.#handlers.onChange();
  }
}
