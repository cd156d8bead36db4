// Whether the chat needs a token, and what one is worth: a page cannot see why a
// handshake was refused, so it asks.

const TIMEOUT_MS = 5_000;

// Result: {tokens, nick, problem}, or null if the server does not say.
export async function lookUpAccess(token) {
  try {
    const response = await fetch("config", {
      headers: token === "" ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) return null;
    const { tokens, nick, problem } = await response.json();
    return { tokens: tokens === true, nick: String(nick ?? ""), problem: String(problem ?? "") };
  } catch {
    return null; // it may be away; the connection finds out
  }
}

// What may be a subprotocol's part: all tokens of the chat are made of these.
export function looksLikeToken(token) {
  return /^[A-Za-z0-9_.-]{1,2000}$/.test(token);
}
