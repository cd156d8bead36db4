import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { MAX_UNSENT, Outbox } from "../outbox.js";

let clock;
let sent;
let changes;
let outbox;

beforeEach(() => {
  clock = 0;
  sent = [];
  changes = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  mock.method(performance, "now", () => clock);
  outbox = new Outbox({
    transmit(entry) {
      sent.push(entry.text);
      return true;
    },
    onChange: (entry) => changes.push(`${entry.text} ${entry.state}`),
    answerTime: () => 1,
    lastReceived: () => clock,
    onSilence: () => changes.push("silence"),
  });
  outbox.retryWithin = 90_000;
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

function pass(milliseconds) {
  for (const until = clock + milliseconds; clock < until; ) {
    clock += 100;
    mock.timers.tick(100);
  }
}

test("one is under way at a time, in the order of writing", () => {
  outbox.opened("lobby");
  const [first, second] = ["1", "2"].map((text) => outbox.add("lobby", "ann", text));
  assert.deepEqual(sent, ["1"]);
  assert.equal(outbox.acknowledge(second.id), true); // heard of before its turn
  assert.equal(outbox.acknowledge(first.id), true);
  assert.equal(outbox.acknowledge(first.id), false);
  assert.deepEqual(sent, ["1"]);
});

test("what the server was not ready for goes again under its id, before the next one", () => {
  outbox.opened("lobby");
  const first = outbox.add("lobby", "ann", "1");
  outbox.add("lobby", "ann", "2");
  outbox.refusedForNow(first.id, true);
  pass(1400);
  assert.deepEqual(sent, ["1"]);
  pass(200);
  assert.deepEqual(sent, ["1", "1"]);
  outbox.acknowledge(first.id);
  pass(200);
  assert.deepEqual(sent, ["1", "1", "2"]);
});

test("nothing is sent while nothing can be stored, and at once when it can", () => {
  outbox.opened("lobby");
  outbox.setStoring(false);
  outbox.add("lobby", "ann", "1");
  pass(5_000);
  assert.deepEqual(sent, []);
  outbox.setStoring(true);
  assert.deepEqual(sent, ["1"]);
});

test("a lost connection sends again what was not answered", () => {
  outbox.opened("lobby");
  outbox.add("lobby", "ann", "1");
  outbox.closed(1006);
  outbox.opened("lobby");
  assert.deepEqual(sent, ["1", "1"]);
});

test("a message that ended the connection fails", () => {
  outbox.opened("lobby");
  outbox.add("lobby", "ann", "1");
  outbox.closed(1009);
  outbox.opened("lobby");
  assert.deepEqual(sent, ["1"]);
  assert.deepEqual(changes, ["1 pending", "1 failed"]);
});

test("what is too old fails, and says whether it was tried", () => {
  const waited = outbox.add("lobby", "ann", "waited");
  outbox.opened("kitchen");
  const tried = outbox.add("kitchen", "ann", "tried");
  outbox.closed(1006);
  pass(91_000);
  assert.match(outbox.get(waited.id).reason, /could not be sent within 90 seconds/);
  assert.match(outbox.get(tried.id).reason, /may have arrived/);
  const again = outbox.retry(tried.id);
  assert.notEqual(again.id, tried.id);
  assert.equal(outbox.get(tried.id), undefined);
  assert.equal(outbox.retry(again.id), null); // it has not failed
});

test("what is for another room waits for it", () => {
  outbox.opened("lobby");
  outbox.add("kitchen", "ann", "soup");
  outbox.add("lobby", "ann", "hello");
  assert.deepEqual(sent, ["hello"]);
});

test("the queue is bounded", () => {
  for (let at = 0; at < MAX_UNSENT; at++) outbox.add("lobby", "ann", String(at));
  assert.equal(outbox.isFull, true);
});
