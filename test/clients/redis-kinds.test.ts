import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { readRedis } from '../../src/clients/redis.js';
import { describeRedisFailure } from '../../src/clients/redis-failure.js';
import { withRedis } from '../../src/clients/redis-session.js';
import { redisUrlProblem } from '../../src/clients/redis-url.js';
import { freePort } from '../../src/store/freePort.js';
import { makeCertificate } from './certificates.js';

let root = '';
let certificate = '';
let key = '';
const running: { kill(signal: 'SIGKILL'): boolean }[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'm10-redis-'));
  ({ certificate, key } = makeCertificate(root));
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** A redis-server of its own kind, ready for connections. */
async function start(...settings: string[]): Promise<number> {
  const port = await freePort();
  const plain = settings.includes('--tls-port') ? [] : ['--port', String(port)];
  const given = settings.map((word) => (word === 'PORT' ? String(port) : word));
  const child = spawn(
    'redis-server',
    [...plain, ...given, '--bind', '127.0.0.1', '--dir', await mkdtemp(join(root, 'data-')), '--save', ''],
    { env: { PATH: inject('toolPath') }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  running.push(child);
  for (let log = ''; !/Ready to accept connections/.test(log); ) {
    const [chunk] = await once(child.stdout, 'data');
    log += String(chunk);
  }
  child.stdout.resume();
  return port;
}

const tls = () => [
  '--port',
  '0',
  '--tls-port',
  'PORT',
  '--tls-cert-file',
  certificate,
  '--tls-key-file',
  key,
  '--tls-auth-clients',
  'no',
];

test('TLS: by a certificate that is named; what fails is a value with advice', async () => {
  const port = await start(...tls());
  const place = { redisUrl: `rediss://localhost:${port}`, redisCa: certificate };
  expect(await readRedis({ ...place, connectTimeoutMs: 5_000 })).toMatchObject({ kind: 'read' });
  expect(await withRedis(place, 'test', (redis) => redis.ping())).toEqual({ kind: 'ok', value: 'PONG' });

  for (const redisUrl of [`rediss://localhost:${port}`, `rediss://127.0.0.1:${port}`]) {
    expect(await readRedis({ redisUrl, connectTimeoutMs: 5_000 })).toMatchObject({
      kind: 'unreachable',
      cause: 'tls',
    });
    expect(await withRedis({ redisUrl }, 'test', (redis) => redis.ping())).toMatchObject({
      kind: 'tls',
      advice: expect.stringContaining('redis-ca'),
    });
  }
  const plain = { redisUrl: `redis://127.0.0.1:${port}` };
  expect(await withRedis(plain, 'test', (redis) => redis.ping())).toMatchObject({
    kind: 'gone',
    advice: expect.stringContaining('rediss://'),
  });
  const absent = { ...place, redisCa: join(root, 'absent.pem') };
  expect(await readRedis({ ...absent, connectTimeoutMs: 5_000 })).toMatchObject({
    kind: 'unreachable',
    message: expect.stringContaining('redis-ca cannot be read'),
  });
});

test('TLS to a server that speaks none', async () => {
  const port = await start();
  const redisUrl = `rediss://localhost:${port}`;
  expect(await withRedis({ redisUrl }, 'test', (redis) => redis.ping())).toMatchObject({
    kind: expect.stringMatching(/^(tls|gone)$/),
    advice: expect.stringContaining('rediss://'),
  });
});

test('a cluster is told by its mode, and its refusal has words', async () => {
  const port = await start('--cluster-enabled', 'yes');
  const redisUrl = `redis://127.0.0.1:${port}`;
  expect(await readRedis({ redisUrl, connectTimeoutMs: 5_000 })).toMatchObject({
    kind: 'read',
    facts: { server: { mode: 'cluster' } },
  });
  expect(await withRedis({ redisUrl }, 'test', (redis) => redis.del('a', 'b'))).toMatchObject({
    kind: 'refuses',
    advice: expect.stringMatching(/cluster|not ready/),
  });
});

test('a role that may not ask INFO writes nothing beside the log', async () => {
  const port = await start();
  const redisUrl = `redis://127.0.0.1:${port}`;
  await withRedis({ redisUrl }, 'test', (redis) =>
    redis.acl('SETUSER', 'plain', 'on', '>pw', '~*', '+@all', '-info'),
  );
  // The library writes past every log, to the console of its process.
  const written = vi.spyOn(console, 'warn');
  const place = { redisUrl: `redis://plain:pw@127.0.0.1:${port}` };
  expect(await withRedis(place, 'test', (redis) => redis.ping())).toEqual({ kind: 'ok', value: 'PONG' });
  expect(written).not.toHaveBeenCalled();
  written.mockRestore();
});

test('words instead of Redis, and a hang-up, are values as well', async () => {
  const web = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy());
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const answer = await withRedis({ redisUrl: `redis://127.0.0.1:${port}` }, 'test', (redis) => redis.ping());
  expect(answer.kind).not.toBe('ok');
  await new Promise((resolve) => web.close(resolve));
});

test('a mistake of the code is none of Redis', () => {
  expect(describeRedisFailure(new TypeError('x is not a function'))).toBeNull();
});

test.each([
  ['redis://h', null],
  ['rediss://u:p%40@h:6380/3', null],
  ['redis://[::1]:6379/0', null],
  ['http://h', /redis:\/\//],
  ['redis://', /URL|host/],
  ['redis://h/zero', /database is not a number/],
  ['redis://h/0?db=5&family=6', /"db" is not taken.*"family" is not taken/],
  ['redis://:s3cret#x@h', /./],
  ['redis://:s3%ZZ@h', /percent/],
])('the URL %s', (url, problem) => {
  const found = redisUrlProblem(url);
  if (problem === null) expect(found).toBeNull();
  else expect(found).toMatch(problem);
  expect(found ?? '').not.toContain('s3cret');
});
