// What a text is that begins with a slash. It knows the commands by name; what
// they do is decided elsewhere.

export const COMMANDS = [
  { name: "help", does: "shows all of this" },
  { name: "nick", argument: "NAME", does: "takes another nickname" },
  { name: "join", argument: "ROOM", does: "goes to a room, and makes it if there is none" },
  { name: "rooms", does: "lists the rooms" },
  { name: "who", does: "lists who is in this room" },
  { name: "slow", does: "begins or ends being a slow client" },
];

const MAX_NAME_SHOWN = 20;

// Result: {say} for something to be said, {command, argument}, or {problem}, a
// friendly sentence. Two slashes say one.
export function readCommand(text) {
  if (!text.startsWith("/")) return { say: text };
  if (text.startsWith("//")) return { say: text.slice(1) };
  const [, name, argument] = /^\/(\S*)\s*([\s\S]*)$/.exec(text);
  const known = COMMANDS.find((command) => command.name === name.toLowerCase());
  if (!known) {
    const shown = name.length > MAX_NAME_SHOWN ? `${name.slice(0, MAX_NAME_SHOWN)}…` : name;
    return { problem: `There is no command /${shown}. /help lists them; to say something that begins with a slash, write two.` };
  }
  if (known.argument && argument.trim() === "") {
    return { problem: `That takes a word more: /${known.name} ${known.argument}` };
  }
  return { command: known.name, argument: argument.trim() };
}
