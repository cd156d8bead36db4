// One WebSocket that comes back by itself. It knows states, delays and close
// codes; it does not know rooms, messages or the page.

import { isPlanned, reconnectDelay } from "./backoff.js";
import { SUBPROTOCOL, parse } from "./protocol.js";

const POLICY_CLOSE_CODE = 1008;

// What a browser says of a connection that ended without a close frame.
const CUT_CODE = 1006;

// A browser may wait minutes for a handshake that never ends.
const OPEN_TIMEOUT_MS = 10_000;

// Only a connection that lasted forgives the failures before it; otherwise a
// server that accepts and closes at once would be asked without pause.
const STABLE_MS = 5_000;

// The browser's word for "offline" can be wrong (a laptop without network that
// talks to itself), so it is doubted now and then.
const OFFLINE_PROBE_MS = 15_000;

// A whole office comes back online in the same moment.
const ONLINE_SPREAD_MS = 500;

// The address of a WebSocket beside this page.
export function socketAddress(path) {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

// States: "connecting", "connected", "reconnecting", "offline", "stopped".
// Handlers: onState({state, retryAt, reason}), onOpen(), onMessage(message),
// onDown(end) once for every connection that had been open, with end as {code,
// reason}, and onFailed() for every one that did not open. The last two may end
// the matter with halt().
export class Connection {
  #handlers;
  #address = null; // {url, token}
  #socket = null;
  #timer = 0;
  #state = "offline";
  #wanted = false;
  #everOpened = false;
  #attempt = 0;
  #openedAt = 0;
  #lastReceived = 0;
  #lastEnd = null;

  constructor(address, handlers) {
    this.#address = address;
    this.#handlers = handlers;
    addEventListener("offline", () => this.#browserOffline());
    addEventListener("online", () => this.#browserOnline());
  }

  get state() {
    return this.#state;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get lastReceived() {
    return this.#lastReceived;
  }

  // How the last connection ended, {code, reason, isOurs}, or null.
  get lastEnd() {
    return this.#lastEnd;
  }

  // Where the next connection leads, with a token to show or "".
  lead(address) {
    this.#address = { ...this.#address, ...address };
  }

  // Connects now, from whatever state, skipping any wait.
  start() {
    if (this.#wanted && this.#socket !== null) return;
    this.#wanted = true;
    this.#open();
  }

  // Leaves this connection for a new one, at once.
  renew() {
    this.#drop();
    this.start();
  }

  // Ends the connection because nobody wants it any more.
  stop() {
    this.#wanted = false;
    this.#everOpened = false;
    this.#attempt = 0;
    this.#drop();
    this.#enter("offline", { reason: "idle" });
  }

  // Ends it for good, with an explanation; start() tries again.
  halt(reason) {
    this.#wanted = false;
    this.#attempt = 0;
    this.#drop();
    this.#enter("stopped", { reason });
  }

  // Gives up a connection that looks dead and makes a new one.
  restart() {
    this.#drop();
    this.#wait({ code: CUT_CODE, reason: "", lasted: 0 });
  }

  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#enter(this.#everOpened || this.#attempt > 0 ? "reconnecting" : "connecting");

    const { url, token } = this.#address;
    const socket = new WebSocket(url, token === "" ? [SUBPROTOCOL] : [SUBPROTOCOL, `token.${token}`]);
    this.#socket = socket;
    // A socket that was given up may still speak; only the current one counts.
    const whenCurrent = (handle) => (event) => {
      if (socket === this.#socket) handle(event);
    };
    socket.addEventListener("open", whenCurrent(() => this.#opened()));
    socket.addEventListener("message", whenCurrent((event) => this.#received(event.data)));
    socket.addEventListener("close", whenCurrent((event) => this.#closed(event)));
    this.#timer = setTimeout(() => this.restart(), OPEN_TIMEOUT_MS);
  }

  #opened() {
    clearTimeout(this.#timer);
    if (this.#socket.protocol !== SUBPROTOCOL) {
      this.halt("This server does not speak this version of the chat.");
      return;
    }
    this.#everOpened = true;
    this.#openedAt = this.#lastReceived = performance.now();
    this.#enter("connected");
    this.#handlers.onOpen();
  }

  #received(data) {
    this.#lastReceived = performance.now();
    const message = typeof data === "string" ? parse(data) : null;
    if (message !== null) this.#handlers.onMessage(message);
  }

  #closed({ code, reason }) {
    const wasOpen = this.#openedAt !== 0;
    const end = { code, reason, lasted: wasOpen ? performance.now() - this.#openedAt : 0 };
    this.#forget({ code, reason, isOurs: false });
    if (!wasOpen) this.#handlers.onFailed();
    if (code === POLICY_CLOSE_CODE) {
      this.halt(
        reason
          ? `The server ended this connection: ${reason}`
          : "The server ended this connection because of a rule it keeps.",
      );
      return;
    }
    if (!this.#wanted || this.#socket !== null) return; // whoever was told has decided
    if (!navigator.onLine) {
      this.#browserOffline();
      return;
    }
    this.#wait(end);
  }

  #wait(end) {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    const delay = reconnectDelay(end, this.#attempt);
    if (!isPlanned(end)) this.#attempt++;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#enter("reconnecting", { retryAt: Date.now() + delay });
  }

  #browserOffline() {
    if (!this.#wanted) return;
    // Without a network the socket would look open until TCP gives up.
    this.#drop();
    if (!this.#wanted) return; // whoever was told of the drop did not want more
    this.#timer = setTimeout(() => this.#open(), OFFLINE_PROBE_MS);
    this.#enter("offline");
  }

  #browserOnline() {
    if (!this.#wanted || this.#socket !== null) return;
    clearTimeout(this.#timer);
    const delay = Math.random() * ONLINE_SPREAD_MS;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#enter("reconnecting", { retryAt: Date.now() + delay });
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#forget({ code: 1000, reason: "", isOurs: true });
    socket?.close(1000);
  }

  #forget(end) {
    clearTimeout(this.#timer);
    const wasOpen = this.#openedAt !== 0;
    if (wasOpen && performance.now() - this.#openedAt >= STABLE_MS) this.#attempt = 0;
    this.#socket = null;
    this.#openedAt = 0;
    if (!wasOpen) return;
    this.#lastEnd = end;
    this.#handlers.onDown(end);
  }

  #enter(state, { retryAt = 0, reason = "" } = {}) {
    this.#state = state;
    this.#handlers.onState({ state, retryAt, reason });
  }
}
