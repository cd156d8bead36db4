// The chat example must refuse to start, with status 2 and one clear line, when
// its flags are wrong or a port is taken.
// Usage: node chat-refuse.mjs <chat binary>

import { spawnSync } from 'node:child_process';
import { assert, run } from './checks.mjs';
import { freeAddresses, occupy } from './process.mjs';

const [binary] = process.argv.slice(2);
const START_MS = 10_000;

const taken = await occupy();
const port = String(taken.address().port);
const [free] = await freeAddresses(1);

function refuses(args, named) {
  return async () => {
    const { status, signal, error, stdout, stderr } = spawnSync(binary, args, { timeout: START_MS, encoding: 'utf8' });
    const output = stdout + stderr;
    assert(!error, `${error?.message}: ${output}`);
    assert(status === 2, `exit code ${status}, signal ${signal}, expected 2: ${output}`);
    assert(output.trim().split('\n').length === 1, `expected one line:\n${output}`);
    assert(output.includes(named), `the line does not name ${named}: ${output}`);
  };
}

await run([
  ['chat: an unknown flag is refused', refuses(['-nope'], 'nope')],
  ['chat: a taken -addr is refused', refuses(['-addr', `127.0.0.1:${port}`, '-admin', free], port)],
  ['chat: a taken -admin is refused', refuses(['-addr', free, '-admin', `127.0.0.1:${port}`], port)],
], () => taken.close());
