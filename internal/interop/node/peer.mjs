// A ws client whose messages and close can be awaited.

import { WebSocket } from 'ws';

export class Peer {
  #waiting = [];
  #arrived = [];

  // open dials url and resolves once the handshake is done.
  static async open(url, protocols = []) {
    const peer = new Peer(url, protocols);
    await peer.opened;
    return peer;
  }

  constructor(url, protocols) {
    this.socket = new WebSocket(url, protocols);
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      this.socket.addEventListener('close', ({ code, reason, wasClean }) => {
        for (const { reject } of this.#waiting.splice(0)) {
          reject(new Error(`closed with ${code} ${JSON.stringify(reason)} while a message was due`));
        }
        resolve({ code, reason, wasClean });
      });
    });
    this.socket.on('message', (data, isBinary) => {
      const message = { data, isBinary };
      const waiter = this.#waiting.shift();
      if (waiter) waiter.resolve(message);
      else this.#arrived.push(message);
    });
    // Without a listener an error would end the process; the close that
    // follows it carries what a check looks at.
    this.socket.on('error', () => {});
  }

  // next resolves with the next message as { data: Buffer, isBinary }.
  next() {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    if (this.socket.readyState === WebSocket.CLOSED) {
      return Promise.reject(new Error('the connection is closed'));
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    return this.closed;
  }
}
