// How long to wait before connecting again, by what ended the connection.

const BASE_MS = 500;
const CAP_MS = 15_000;

// The server goes away on purpose: soon, but not all at once.
const PLANNED_CODES = new Set([1001, 1012]);
const PLANNED_MIN_MS = 200;
const PLANNED_MAX_MS = 1_500;

// A server that restarts says within what time everybody may come back.
const RESTART_CODE = 1012;
const HINT = /retry within (\d{1,6}) ms/;
const MAX_HINT_MS = 60_000;

// A planned end of a connection that did not last is a failure all the same.
const LASTED_MS = 1_000;

export function isPlanned({ code, lasted }) {
  return PLANNED_CODES.has(code) && lasted >= LASTED_MS;
}

// The time that the reason of a close asks for, or null.
export function retryHint({ code, reason }) {
  const match = code === RESTART_CODE ? HINT.exec(reason) : null;
  return match === null || Number(match[1]) > MAX_HINT_MS ? null : Number(match[1]);
}

// end is {code, reason, lasted}, with lasted in milliseconds. After a failure the
// wait has full jitter: anywhere between now and a bound that doubles.
export function reconnectDelay(end, attempt, random = Math.random) {
  if (isPlanned(end)) {
    const within = retryHint(end);
    return within !== null ? random() * within : PLANNED_MIN_MS + random() * (PLANNED_MAX_MS - PLANNED_MIN_MS);
  }
  return random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}
