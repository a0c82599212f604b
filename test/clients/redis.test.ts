import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { parseInfo, readRedis } from '../../src/clients/redis.js';
import { type FreshRedis, freshRedis } from '../support/database.js';

let fresh: FreshRedis;
beforeAll(async () => {
  fresh = await freshRedis();
});
afterAll(() => fresh.drop());

const read = (change: (url: URL) => void = () => {}) => {
  const url = new URL(fresh.url);
  change(url);
  return readRedis({ redisUrl: url.href, connectTimeoutMs: 2_000 });
};

it('reads configuration, persistence and role', async () => {
  expect(await read()).toMatchObject({
    kind: 'read',
    facts: {
      config: { kind: 'known', appendonly: 'yes', maxmemoryPolicy: 'noeviction', maxmemory: 0 },
      server: { version: expect.stringMatching(/^\d+\.\d+/), mode: 'standalone' },
      persistence: { loading: false, aofEnabled: true, lastAofWrite: 'ok' },
      replication: { role: 'master', connectedReplicas: 0, masterLink: null },
    },
  });
});

it('tells a wrong password, a missing one, and no server apart', async () => {
  const wrong = await read((url) => Object.assign(url, { password: 'wrong' }));
  expect(wrong).toMatchObject({ kind: 'unreachable', cause: 'authentication' });
  const without = await read((url) => Object.assign(url, { password: '' }));
  expect(without).toMatchObject({ kind: 'unreachable', cause: 'authentication' });
  expect(await read((url) => Object.assign(url, { port: '1' }))).toMatchObject({
    kind: 'unreachable',
    cause: 'network',
    message: expect.stringContaining('ECONNREFUSED'),
  });
  expect(await readRedis({ redisUrl: 'http://example', connectTimeoutMs: 100 })).toMatchObject({
    cause: 'url',
  });
});

it('gives up on a server that accepts and never answers', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const sockets = new Set<{ destroy(): void }>();
  silent.on('connection', (socket) => sockets.add(socket));
  const result = await readRedis({ redisUrl: `redis://127.0.0.1:${port}`, connectTimeoutMs: 300 });
  expect(result).toMatchObject({ kind: 'unreachable', cause: 'network' });
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

it('says when CONFIG is forbidden, and reads the rest', async () => {
  const admin = new Redis(inject('redisUrl'));
  await admin.call('ACL', 'SETUSER', 'clients-no-config', 'on', '>secret', '~*', '+@all', '-config');
  try {
    const result = await read((url) =>
      Object.assign(url, { username: 'clients-no-config', password: 'secret' }),
    );
    expect(result).toMatchObject({
      kind: 'read',
      facts: { config: { kind: 'not_permitted' }, replication: { role: 'master' } },
    });
  } finally {
    await admin.call('ACL', 'DELUSER', 'clients-no-config');
    admin.disconnect();
  }
});

it('has null for what a server does not tell', () => {
  expect(parseInfo('# Server\r\nredis_version:7.0.15\r\n')).toMatchObject({
    server: { version: '7.0.15', uptimeSeconds: null },
    persistence: { aofEnabled: null },
  });
});
