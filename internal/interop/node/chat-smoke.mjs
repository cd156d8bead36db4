// Starts the chat example with "go run" as a newcomer would, talks to it, and
// stops it with SIGTERM. Run in the repository's root.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, run, within } from './checks.mjs';
import { Peer } from './peer.mjs';
import { eventually, freeAddresses } from './process.mjs';

const BUILD_AND_START_MS = 120_000; // "go run" may compile everything first.
const PING_MS = 5_000; // The first ping leaves within a second.
const EXIT_MS = 10_000;

const [address, admin] = await freeAddresses(2);
const scratch = mkdtempSync(join(tmpdir(), 'chat-smoke-'));
const pidFile = join(scratch, 'pid');

// "go run" does not pass SIGTERM on, so the chat's own process id is needed:
// this wrapper writes it down and becomes the chat.
const wrapper = `sh -c 'echo $$ >"$CHAT_PID_FILE"; exec "$0" "$@"'`;
const chat = spawn('go', ['run', '-exec', wrapper, './examples/chat', '-addr', address, '-admin', admin, '-data', join(scratch, 'data')], {
  env: { ...process.env, CHAT_PID_FILE: pidFile },
  stdio: ['ignore', 'inherit', 'inherit'],
});
const exited = once(chat, 'exit').then(([code, signal]) => ({ code, signal }));

function chatPid() {
  return Number(readFileSync(pidFile, 'utf8'));
}

async function body(path) {
  const response = await fetch(`http://${admin}${path}`, { signal: AbortSignal.timeout(2_000) });
  const text = await response.text();
  assert(response.status === 200, `GET ${path}: status ${response.status}`);
  return text;
}

// nextOf skips events the check is not about, such as presence or history.
async function nextOf(peer, type) {
  for (;;) {
    const { data, isBinary } = await peer.next();
    assert(!isBinary, 'a binary message arrived');
    const event = JSON.parse(data);
    assert(event.type !== 'error', `the chat answered ${data}`);
    if (event.type === type) return event;
  }
}

async function enter(nick) {
  const peer = await Peer.open(`ws://${address}/ws`, ['chat.v1+json']);
  assert(peer.socket.protocol === 'chat.v1+json', `subprotocol ${JSON.stringify(peer.socket.protocol)}`);
  await nextOf(peer, 'welcome');
  peer.socket.send(JSON.stringify({ type: 'join', room: 'lobby', nick }));
  await nextOf(peer, 'joined');
  return peer;
}

// total adds up a metric's samples over all label sets.
function total(text, metric) {
  return text.split('\n')
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

let talker;

const ready = async () => {
  const early = exited.then(({ code, signal }) => {
    throw new Error(`the chat ended before it was ready: code ${code}, signal ${signal}`);
  });
  await Promise.race([early, eventually(BUILD_AND_START_MS, '/readyz', () => body('/readyz'))]);
};
ready.deadline = BUILD_AND_START_MS + 5_000;

const say = async () => {
  talker = await enter('ci');
  talker.socket.send(JSON.stringify({ type: 'say', id: '1', text: 'hello' }));
  const message = await nextOf(talker, 'message');
  assert(message.text === 'hello', `the message came back as ${JSON.stringify(message)}`);
};

const measured = async () => {
  const metric = 'tandem_ping_round_trip_seconds_count';
  await eventually(PING_MS, 'the first round trip', async () => {
    const count = total(await body('/metrics'), metric);
    assert(count >= 1, `${metric} is ${count}`);
  });
};

const leave = async () => {
  const { code, wasClean } = await talker.close(1000, '');
  assert(code === 1000 && wasClean, `close code ${code}, clean ${wasClean}`);
};

const stop = async () => {
  const stayer = await enter('stayer');
  process.kill(chatPid(), 'SIGTERM');
  const [{ code: closeCode }, { code, signal }] = await within(EXIT_MS, Promise.all([stayer.closed, exited]), 'exit after SIGTERM');
  assert(closeCode === 1012, `close code ${closeCode}, expected 1012`);
  assert(code === 0, `exit code ${code}, signal ${signal}, expected code 0`);
};

await run([
  ['chat: go run becomes ready', ready],
  ['chat: healthz answers 200', () => body('/healthz')],
  ['chat: join a room, say hello, see it', say],
  ['chat: the ping round trip is in the metrics', measured],
  ['chat: a client leaves', leave],
  ['chat: SIGTERM closes the other with 1012 and exits with 0', stop],
], async () => {
  // After a failure the chat may still run.
  if (chat.exitCode === null && chat.signalCode === null) {
    try {
      process.kill(chatPid(), 'SIGKILL');
    } catch {
      chat.kill('SIGKILL'); // It was still being built.
    }
    await exited;
  }
  rmSync(scratch, { recursive: true });
});
