// Drives an echo server with ws.
// Usage: node echo.mjs <url> <largest message the server accepts, in bytes>

import { once } from 'node:events';
import { assert, run } from './checks.mjs';
import { Peer } from './peer.mjs';

const [url, limit] = process.argv.slice(2);

const CONNECTIONS = 20;
const MESSAGES = 50;
const SIZES = [0, 125, 126, 65_535, 65_536, 1_048_576];

// A period of 251 is prime, so a shifted, repeated or lost piece shows.
function pattern(size) {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
}

async function expectEcho(peer, payload) {
  peer.socket.send(payload);
  await expectMessage(peer, payload);
}

async function expectMessage(peer, payload) {
  const { data, isBinary } = await peer.next();
  assert(isBinary === (typeof payload !== 'string'), `binary is ${isBinary}`);
  assert(data.equals(Buffer.from(payload)), `${data.length} bytes came back, not the ${payload.length} sent`);
}

// expectClose checks a close against the code and the reasons that are right.
function expectClose(closed, code, ...reasons) {
  assert(closed.code === code, `close code ${closed.code}, expected ${code}`);
  assert(reasons.includes(closed.reason), `close reason ${JSON.stringify(closed.reason)}`);
  assert(closed.wasClean, 'the close handshake was not completed');
}

async function withPeer(body) {
  const peer = await Peer.open(url);
  try {
    await body(peer);
  } finally {
    peer.socket.terminate();
  }
}

const echoes = (payload) => () => withPeer((peer) => expectEcho(peer, payload));

const payload = (size) => () => withPeer(async (peer) => {
  await expectEcho(peer, pattern(size));
  await expectEcho(peer, 'x'.repeat(size));
});

const fragmented = () => withPeer(async (peer) => {
  const { socket } = peer;
  const pong = once(socket, 'pong');
  // The cut falls inside the two-byte ö, and a ping between fragments is allowed.
  const message = Buffer.from('zwölf Boxkämpfer');
  socket.send(message.subarray(0, 3), { binary: false, fin: false });
  socket.ping('between');
  socket.send(message.subarray(3, 3), { fin: false });
  socket.send(message.subarray(3), { fin: true });
  await expectMessage(peer, message.toString());
  const [data] = await pong;
  assert(data.toString() === 'between', `pong carried ${data}`);
});

const ping = () => withPeer(async ({ socket }) => {
  for (const body of ['', 'tandem', 'p'.repeat(125)]) {
    const pong = once(socket, 'pong');
    socket.ping(body);
    const [data] = await pong;
    assert(data.toString() === body, `pong carried ${data.length} bytes`);
  }
});

const close = () => withPeer(async (peer) => {
  // An answer repeats the code (RFC 6455 section 5.5.1); the reason is optional.
  expectClose(await peer.close(4000, 'going home'), 4000, 'going home', '');
});

const serverClose = () => withPeer(async (peer) => {
  peer.socket.send('close me');
  expectClose(await peer.closed, 4001, 'bye');
});

const tooLarge = () => withPeer(async (peer) => {
  peer.socket.send(pattern(Number(limit) + 1));
  const { code } = await peer.closed;
  assert(code === 1009, `close code ${code}, expected 1009`);
});

const concurrent = () => Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => withPeer(async (peer) => {
  const messages = Array.from({ length: MESSAGES }, (_, i) => `connection ${n} message ${i}`);
  for (const message of messages) peer.socket.send(message);
  for (const message of messages) await expectMessage(peer, message);
  expectClose(await peer.close(1000, ''), 1000, '');
})));

await run([
  ['text', echoes('κόσμε, hello, 你好, 👋')],
  ['binary', echoes(Buffer.from([0, 255, 128, 10, 13]))],
  ...SIZES.map((size) => [`payload-${size}`, payload(size)]),
  ['fragmented', fragmented],
  ['ping', ping],
  ['close', close],
  ['server-close', serverClose],
  ['too-large', tooLarge],
  ['concurrent', concurrent],
]);
