import { connect, createServer, type Socket } from 'node:net';

/** A server that can be made unreachable: what goes through here is cut, and later let through again. */
export interface Proxy {
  /** The URL of the server behind, through this proxy. */
  readonly url: string;
  /** Breaks every connection; new ones are broken at once until `restore`. */
  cut(): void;
  /** Lets connections stand, and nothing through: the network swallows it. */
  freeze(): void;
  restore(): void;
  close(): Promise<void>;
}

export async function createProxy(to: string): Promise<Proxy> {
  const behind = new URL(to);
  let mode: 'open' | 'cut' | 'frozen' = 'open';
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    if (mode === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(Number(behind.port), behind.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    near.pipe(far);
    far.pipe(near);
    if (mode === 'frozen') for (const socket of pair) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(to);
  url.host = `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
  const destroyAll = () => {
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  return {
    url: url.href,
    cut() {
      mode = 'cut';
      destroyAll();
    },
    freeze() {
      mode = 'frozen';
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    restore() {
      mode = 'open';
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    async close() {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
