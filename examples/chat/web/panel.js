// The panel of the connection: what can be known of it, and the switch that makes
// this page a slow client.

const find = (id) => document.getElementById(id);

const CODES = {
  1000: "said goodbye",
  1001: "the other side went away",
  1003: "a kind of message that is not taken",
  1006: "cut off without a word",
  1007: "text that is no text",
  1008: "against a rule",
  1009: "a message too long",
  1011: "an error of the server, or no answer to its pings",
  1012: "the server restarts",
  1013: "this client did not take what it was sent",
};

export function sayEnd(end) {
  if (end === null) return "none yet";
  if (end.isOurs) return "by this page";
  return `${end.code}, ${CODES[end.code] ?? "for a reason of its own"}`;
}

export function sayRoundTrip(milliseconds) {
  if (milliseconds === null) return "";
  if (milliseconds < 1) return "< 1 ms";
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

export class Panel {
  #slow = find("slow");

  // Handlers: onSlow(isSlow), onWatched(isOpen).
  constructor({ onSlow, onWatched }) {
    this.#slow.addEventListener("change", () => onSlow(this.#slow.checked));
    find("panel").addEventListener("toggle", (event) => onWatched(event.newState === "open"));
  }

  setSlow(isSlow) {
    this.#slow.checked = isSlow;
    find("panel").classList.toggle("slow", isSlow);
  }

  // facts: {state, node, connection, roundTrip, last, end}
  show(facts) {
    const say = {
      "panel-state": facts.state,
      "panel-node": facts.node || "none",
      "panel-connection": facts.connection || "none",
      "panel-trip": sayRoundTrip(facts.roundTrip) || "not measured",
      "panel-last": facts.last === 0 ? "none yet" : String(facts.last),
      "panel-end": sayEnd(facts.end),
    };
    for (const [id, text] of Object.entries(say)) {
      if (find(id).textContent !== text) find(id).textContent = text;
    }
  }
}
