// The emoji that the picker offers, with the short names that turn into them.

export const EMOJI = [
  ["😀", "grinning"], ["😄", "smile"], ["😂", "joy"], ["😊", "blush"], ["😉", "wink"], ["😍", "heart_eyes"],
  ["😎", "cool"], ["🤔", "thinking"], ["🙃", "upside_down"], ["😐", "neutral"], ["😴", "sleeping"], ["😢", "cry"],
  ["😮", "wow"], ["😡", "angry"], ["🥳", "party"], ["🤯", "mind_blown"], ["👋", "wave"], ["👍", "thumbs_up"],
  ["👎", "thumbs_down"], ["👏", "clap"], ["🙏", "thanks"], ["💪", "strong"], ["🤝", "handshake"], ["👀", "eyes"],
  ["❤️", "heart"], ["💔", "broken_heart"], ["🔥", "fire"], ["✨", "sparkles"], ["🎉", "tada"], ["🚀", "rocket"],
  ["✅", "check"], ["❌", "cross"], ["⚠️", "warning"], ["💡", "idea"], ["🐛", "bug"], ["🔧", "wrench"],
  ["☕️", "coffee"], ["🍰", "cake"], ["🌧️", "rain"], ["☀️", "sun"], ["🚲", "bicycle"], ["🚴", "cyclist"],
];

const byName = new Map(EMOJI.map(([character, name]) => [name, character]));

const LAST_NAME = /:([a-z_]{2,20}):$/;

// The text before the caret with a short name at its end turned into its emoji,
// or null if there is none.
export function completeEmoji(beforeCaret) {
  const match = LAST_NAME.exec(beforeCaret);
  const character = match && byName.get(match[1]);
  return character ? beforeCaret.slice(0, match.index) + character : null;
}
