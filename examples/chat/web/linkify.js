// Turns text into text nodes and safe links. It never parses HTML.

const CANDIDATE = /https?:\/\/[^\s<>"]+/giu;

// Characters that reorder or hide what the reader sees of an address.
const DECEPTIVE = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

const TRAILING = /[.,;:!?'’”»*_~]$/u;

// Punctuation that ends the sentence is not part of the address; a closing
// bracket is, when the address opened it.
function trimEnd(candidate) {
  let end = candidate;
  for (;;) {
    const last = end.at(-1);
    const opener = { ")": "(", "]": "[", "}": "{" }[last];
    const unbalanced = opener && end.split(last).length > end.split(opener).length;
    if (!unbalanced && !TRAILING.test(end)) return end;
    end = end.slice(0, -1);
  }
}

function safeAddress(candidate) {
  if (DECEPTIVE.test(candidate)) return null;
  const url = URL.parse ? URL.parse(candidate) : tryParse(candidate);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  // "https://bank.example@evil.example/" reads as the one and leads to the other.
  if (url.username !== "" || url.password !== "") return null;
  return url.href;
}

function tryParse(candidate) {
  try {
    return new URL(candidate);
  } catch {
    return null;
  }
}

export function linkify(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const shown = trimEnd(match[0]);
    const href = safeAddress(shown);
    if (href === null) continue;
    fragment.append(text.slice(from, match.index));
    const link = document.createElement("a");
    link.href = href;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    link.textContent = shown;
    fragment.append(link);
    from = match.index + shown.length;
  }
  fragment.append(text.slice(from));
  return fragment;
}
