import assert from "node:assert/strict";
import { test } from "node:test";
import { reconnectDelay, retryHint } from "../backoff.js";

const most = () => 1;
const least = () => 0;
const end = (code, reason = "", lasted = 60_000) => ({ code, reason, lasted });

test("failures wait anywhere up to a bound that doubles, and ends", () => {
  assert.equal(reconnectDelay(end(1006), 0, least), 0);
  assert.deepEqual([0, 1, 2, 3].map((attempt) => reconnectDelay(end(1006), attempt, most)), [500, 1000, 2000, 4000]);
  assert.equal(reconnectDelay(end(1006), 1000, most), 15_000);
});

test("a restart is waited for as long as it says", () => {
  const planned = end(1012, "restarting, retry within 200 ms");
  assert.equal(retryHint(planned), 200);
  assert.equal(reconnectDelay(planned, 7, most), 200);
  assert.equal(reconnectDelay(planned, 7, least), 0);
});

test("a hint is for restarts alone, and within reason", () => {
  assert.equal(retryHint(end(1006, "retry within 200 ms")), null);
  assert.equal(retryHint(end(1012, "retry within 99999999 ms")), null);
  assert.equal(retryHint(end(1012, "retry within 999999 ms")), null);
  assert.equal(retryHint(end(1012, "restarting")), null);
});

test("whoever goes away on purpose is asked again soon, but not at once", () => {
  for (const code of [1001, 1012]) {
    assert.equal(reconnectDelay(end(code), 9, least), 200);
    assert.equal(reconnectDelay(end(code), 9, most), 1500);
  }
});

test("a planned end of what never lasted is a failure", () => {
  assert.equal(reconnectDelay(end(1012, "restarting, retry within 200 ms", 10), 3, most), 4000);
});
