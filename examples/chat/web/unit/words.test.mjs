// Commands, emoji, marks of what was read, and messages of the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "../commands.js";
import { EMOJI, completeEmoji } from "../emoji.js";
import { parse } from "../protocol.js";
import { ReadingMarks } from "../reading.js";

test("a slash begins a command, two of them a text", () => {
  assert.deepEqual(readCommand("hello /who"), { say: "hello /who" });
  assert.deepEqual(readCommand("//who"), { say: "/who" });
  assert.deepEqual(readCommand("/who"), { command: "who", argument: "" });
  assert.deepEqual(readCommand("/NICK  Ann Other "), { command: "nick", argument: "Ann Other" });
});

test("what is no command gets a friendly line", () => {
  assert.match(readCommand("/frobnicate now").problem, /^There is no command \/frobnicate\./);
  assert.match(readCommand("/").problem, /^There is no command/);
  assert.match(readCommand("/nick ").problem, /\/nick NAME$/);
  assert.ok(readCommand(`/${"x".repeat(2000)}`).problem.length < 200);
});

test("a short name at the caret turns into its emoji", () => {
  assert.equal(completeEmoji("well :tada:"), "well 🎉");
  assert.equal(completeEmoji("at 10:30:"), null);
  assert.equal(completeEmoji(":nothing:"), null);
  assert.equal(new Set(EMOJI.map(([, name]) => name)).size, EMOJI.length);
});

test("only the rooms read last are remembered, each in its epoch", () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  const marks = new ReadingMarks(storage);
  for (let at = 0; at < 25; at++) marks.set(`room-${at}`, "one", at + 1);
  marks.set("room-24", "one", 3); // older than what is known
  marks.set("other", "two", 7);
  const again = new ReadingMarks(storage); // after a reload
  assert.equal(Object.keys(again.seen("one")).length, 19);
  assert.equal(again.of("room-24", "one"), 25);
  assert.equal(again.of("room-24", "two"), 0);
  assert.deepEqual(again.seen("two"), { other: 7 });
});

test("a browser that stores nothing, or something else, does no harm", () => {
  const broken = { getItem: () => { throw new Error(); }, setItem: () => { throw new Error(); } };
  for (const storage of [null, broken, { getItem: () => '[1,["a"],["b",{"epoch":1}]]', setItem() {} }]) {
    const marks = new ReadingMarks(storage);
    marks.set("lobby", "one", 5);
    assert.ok([0, 5].includes(marks.of("lobby", "one")));
  }
});

test("only what is well-formed is read", () => {
  for (const data of ["", "[]", "null", '{"type":"constructor"}', '{"type":"joined","room":1}', '{"type":"message","seq":-1}', '{"type":"rooms"}']) {
    assert.equal(parse(data), null, data);
  }
  assert.deepEqual(parse('{"type":"rooms","rooms":[{"room":"lobby","members":2,"unread":3},{"room":7},null]}').rooms, [
    { room: "lobby", members: 2, unread: 3 },
  ]);
  assert.equal(parse('{"type":"welcome","version":1,"storing":false}').storing, false);
  assert.equal(parse('{"type":"welcome","limits":{"retry":30,"text":-1}}').limits.retry, 30);
  const history = parse('{"type":"history","room":"lobby","history":[{"room":"lobby","seq":4,"nick":"ann","text":"hi"},{"seq":5}]}').history;
  assert.deepEqual(history.map(({ seq, prev }) => [seq, prev]), [[4, 0]]);
});
