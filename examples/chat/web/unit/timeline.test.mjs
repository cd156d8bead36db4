import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeline, Timelines } from "../timeline.js";

const message = (seq, prev) => ({ seq, prev, id: `id ${seq}` });
const seqs = (messages) => messages.map(({ seq }) => seq);

function begun() {
  const timeline = new Timeline();
  timeline.joined({ epoch: "one", gap: false, history: [message(3, 0), message(7, 3)] });
  return timeline;
}

test("numbers that leave numbers out are no gap", () => {
  const timeline = begun();
  assert.deepEqual(timeline.position, { epoch: "one", after: 7 });
  const [fresh] = timeline.take([message(20, 7)]);
  assert.equal(fresh.isAfterGap, false);
});

test("what was seen is not shown again", () => {
  const timeline = begun();
  assert.deepEqual(timeline.take([message(3, 0), message(7, 3)]), []);
  assert.deepEqual(seqs(timeline.take([message(7, 3), message(9, 7), message(9, 7)])), [9]);
  assert.deepEqual(seqs(timeline.messages), [3, 7, 9]);
});

test("prev shows what is missing", () => {
  const timeline = begun();
  const fresh = timeline.take([message(12, 10), message(13, 12)]);
  assert.deepEqual(fresh.map(({ isAfterGap }) => isAfterGap), [true, false]);
});

test("a gap that the server tells is told once", () => {
  const timeline = begun();
  const { fresh, isGap } = timeline.joined({ epoch: "one", gap: true, history: [message(50, 49), message(51, 50)] });
  assert.equal(isGap, false);
  assert.deepEqual(fresh.map(({ isAfterGap }) => isAfterGap), [true, false]);
  assert.deepEqual(timeline.messages.map(({ isAfterGap }) => isAfterGap), [false, false, true, false]);
});

test("a resume in parts has no gap between them", () => {
  const timeline = begun();
  assert.deepEqual(timeline.joined({ epoch: "one", gap: false, history: [message(8, 7)] }).fresh.map(({ isAfterGap }) => isAfterGap), [false]);
  assert.deepEqual(timeline.take([message(9, 8)]).map(({ isAfterGap }) => isAfterGap), [false]);
});

test("numbers of another epoch begin anew, after a gap", () => {
  const timeline = begun();
  const { fresh } = timeline.joined({ epoch: "two", gap: true, history: [message(1, 0)] });
  assert.deepEqual(seqs(fresh), [1]);
  assert.equal(fresh[0].isAfterGap, true);
  assert.deepEqual(timeline.position, { epoch: "two", after: 1 });
});

test("a gap before nothing is one all the same", () => {
  const timeline = begun();
  assert.equal(timeline.joined({ epoch: "two", gap: true, history: [] }).isGap, true);
  assert.deepEqual(timeline.position, {});
});

test("who was never there has no gap and no position", () => {
  const timeline = new Timeline();
  assert.deepEqual(timeline.position, {});
  const { fresh, isGap } = timeline.joined({ epoch: "one", gap: false, history: [message(40, 39)] });
  assert.deepEqual([isGap, fresh[0].isAfterGap], [false, false]);
});

test("what is held is bounded, in a room and in all", () => {
  const timeline = begun();
  timeline.take(Array.from({ length: 1000 }, (_, at) => message(8 + at, 7 + at)));
  assert.equal(timeline.messages.length, 300);
  const timelines = new Timelines();
  const first = timelines.of("room 0");
  for (let at = 1; at < 10; at++) timelines.of(`room ${at}`);
  assert.equal(timelines.of("room 0"), first);
  timelines.of("room 10");
  timelines.of("room 11");
  assert.equal(timelines.of("room 0"), first);
  assert.equal(timelines.of("room 1").last, 0);
});
