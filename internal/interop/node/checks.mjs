// Runs named checks one after another, prints one JSON line for each and ends
// the process: status 0 if all passed, 1 otherwise.

// A check that needs longer has a property deadline, in milliseconds.
const CHECK_DEADLINE_MS = 15_000;

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

// within settles like promise, or rejects once ms milliseconds have passed.
export function within(ms, promise, what) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

// run goes on after a failed check: the next may still tell something.
export async function run(checks, cleanUp = () => {}) {
  let failed = false;
  for (const [check, body] of checks) {
    const started = Date.now();
    const line = { check, ok: true };
    try {
      await within(body.deadline ?? CHECK_DEADLINE_MS, body(), check);
    } catch (error) {
      failed = true;
      line.ok = false;
      line.error = error.message;
    }
    line.ms = Date.now() - started;
    console.log(JSON.stringify(line));
  }
  await cleanUp();
  process.exitCode = failed ? 1 : 0;
  // A check that failed may have left a socket open, which would hold the process.
  setTimeout(() => process.exit(), 1_000).unref();
}
