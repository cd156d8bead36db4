// Programs under test: free loopback ports, waiting, and ends within a bound.

import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

// occupy listens on a loopback port until the returned server is closed.
export async function occupy() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

// freeAddresses returns count loopback addresses that nothing listened on.
// They are held together, so that no two are the same.
export async function freeAddresses(count) {
  const servers = await Promise.all(Array.from({ length: count }, occupy));
  const addresses = servers.map((server) => `127.0.0.1:${server.address().port}`);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return addresses;
}

// eventually calls probe until it does not throw.
export async function eventually(ms, what, probe) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms: ${error.message}`);
    }
    await pause(50);
  }
}
