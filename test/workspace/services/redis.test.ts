import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { startRedis } from '../../../workspace/services/redis.js';

test('a wrongly configured Redis can be started, so that checks can be shown one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm10 redis '));
  const server = await startRedis({ directory, appendonly: false, maxmemoryPolicy: 'allkeys-lru' });
  try {
    const client = new Redis(server.url);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'no']);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
    client.disconnect();
  } finally {
    await server.stop();
    await rm(directory, { recursive: true });
  }
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
});

test('a Redis that refuses its configuration is reported with the end of its log', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm10-redis-'));
  await expect(startRedis({ directory, maxmemoryPolicy: 'sometimes' })).rejects.toThrow(
    /did not start[\s\S]*maxmemory-policy sometimes/,
  );
  await rm(directory, { recursive: true });
});
