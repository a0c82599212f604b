import { chmod, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { driverFor } from '../../../src/clients/postgres/connecting.js';
import { attempt } from '../../../src/clients/postgres/failure.js';
import { connect, type Database } from '../../../src/clients/postgres.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/store/embedded.js';
import { clusterFolder } from '../../../src/store/embeddedCluster.js';
import { startProgram } from '../../../workspace/services/program.js';
import { makeCertificate } from '../certificates.js';

const settings = {
  applicationName: 'm10bot test',
  statementTimeoutMs: 4_000,
  lockTimeoutMs: 1_500,
  connectTimeoutMs: 10_000,
};
const open = (url: string) => connect({ url, ...settings });

let root = '';
let server: EmbeddedPostgres;
let certificate = '';

let reloads = 0;

/** Who may come in, as pg_hba.conf lists it; holds for the sessions that are opened next. */
async function allow(...lines: string[]): Promise<void> {
  reloads += 1;
  const marker = `marker_${reloads}`;
  const text = [`host ${marker} all all trust`, ...lines].join('\n');
  await writeFile(join(clusterFolder(join(root, 'state')), 'pg_hba.conf'), `${text}\n`);
  process.kill(server.pid, 'SIGHUP');
  const probe = new URL(server.url);
  probe.pathname = `/${marker}`;
  await vi.waitFor(async () => expect(await open(probe.href)).toMatchObject({ cause: 'no_database' }), {
    timeout: 30_000,
    interval: 50,
  });
}

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'm10-tls-')));
  await chmod(root, 0o755);
  server = await startEmbeddedPostgres({
    dataDirectory: join(root, 'state'),
    logPath: join(root, 'state.log'),
    start: startProgram,
  });
  const cluster = clusterFolder(join(root, 'state'));
  const { uid, gid } = await stat(cluster);
  ({ certificate } = makeCertificate(cluster, { uid, gid }));
  const connection = await open(server.url);
  if (connection.kind !== 'connected') throw new Error(connection.message);
  const { database } = connection;
  await database.query('alter system set ssl = on');
  await database.query('select pg_reload_conf()');
  await database.close();
}, 120_000);
afterAll(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** Whether the session is encrypted; null when there is none. */
async function encrypted(url: string): Promise<boolean | null> {
  const connection = await open(url);
  if (connection.kind !== 'connected') return null;
  const [row] = await connection.database.rows(
    z.object({ ssl: z.boolean() }),
    'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
  );
  await connection.database.close();
  return row?.ssl ?? null;
}

const withMode = (mode: string | null, more: Record<string, string> = {}, host = '127.0.0.1') => {
  const url = new URL(server.url);
  url.hostname = host;
  if (mode !== null) url.searchParams.set('sslmode', mode);
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
  return url.href;
};

describe('sslmode means what it means to libpq', () => {
  test('of a server that takes both', async () => {
    await allow('host all all all scram-sha-256');
    expect(await encrypted(withMode(null))).toBe(true);
    expect(await encrypted(withMode('prefer'))).toBe(true);
    expect(await encrypted(withMode('allow'))).toBe(false);
    expect(await encrypted(withMode('disable'))).toBe(false);
    expect(await encrypted(withMode('require'))).toBe(true);
    expect(await encrypted(withMode('verify-ca', { sslrootcert: certificate }))).toBe(true);
    expect(await encrypted(withMode('verify-full', { sslrootcert: certificate }, 'localhost'))).toBe(true);
  });

  test('of a server that takes TLS alone', async () => {
    await allow('hostssl all all all scram-sha-256');
    expect(await encrypted(withMode(null))).toBe(true);
    expect(await encrypted(withMode('allow'))).toBe(true);
    expect(await open(withMode('disable'))).toMatchObject({
      kind: 'unreachable',
      cause: 'tls',
      message: expect.stringContaining('the server wants TLS'),
    });
    expect(await driverFor(withMode('disable'), 5_000)).toMatchObject({ kind: 'unreachable', cause: 'tls' });
    expect(await driverFor(withMode(null), 5_000)).toMatchObject({ kind: 'reached', driver: { ssl: {} } });
  });

  test('of a server that takes no TLS from here', async () => {
    await allow('hostnossl all all all scram-sha-256');
    expect(await encrypted(withMode('prefer'))).toBe(false);
    expect(await open(withMode('require'))).toMatchObject({ kind: 'unreachable', cause: 'authentication' });
    expect(await driverFor(withMode(null), 5_000)).toMatchObject({ kind: 'reached', driver: { ssl: false } });
  });

  test('a certificate of somebody else, or for another name, is no wrong password', async () => {
    await allow('host all all all scram-sha-256');
    const stranger = makeCertificate(root).certificate;
    for (const url of [
      withMode('verify-ca', { sslrootcert: stranger }),
      withMode('verify-full', { sslrootcert: certificate }),
      withMode('verify-full', {}, 'localhost'),
    ]) {
      expect(await open(url)).toMatchObject({ kind: 'unreachable', cause: 'tls' });
    }
    expect(await open(withMode('verify-ca', { sslrootcert: '/does/not/exist' }))).toMatchObject({
      cause: 'url',
      message: expect.stringContaining('/does/not/exist'),
    });
  });

  test('a wrong password is not tried a second time in the clear', async () => {
    await allow('host all all all scram-sha-256');
    const url = new URL(withMode('prefer'));
    url.password = 'wrong';
    expect(await open(url.href)).toMatchObject({ cause: 'authentication' });
  });
});

/**
 * A pooler as it is often set up: the start-up message reaches the server changed by `rewrite`.
 * https://www.postgresql.org/docs/15/protocol-message-formats.html (StartupMessage)
 */
async function pooler(rewrite: (parameters: Map<string, string>) => void) {
  const behind = new URL(server.url);
  const listening = createServer((near) => {
    near.once('data', (first) => {
      const words = first.subarray(8).toString('utf8').split('\0');
      const parameters = new Map<string, string>();
      for (let at = 0; at + 1 < words.length && words[at] !== ''; at += 2) {
        parameters.set(words[at] ?? '', words[at + 1] ?? '');
      }
      rewrite(parameters);
      const body = `${[...parameters].map(([name, value]) => `${name}\0${value}\0`).join('')}\0`;
      const message = Buffer.alloc(8 + Buffer.byteLength(body));
      message.writeInt32BE(message.length, 0);
      first.copy(message, 4, 4, 8);
      message.write(body, 8);
      const far = connectSocket(Number(behind.port), behind.hostname);
      far.write(message);
      near.pipe(far);
      far.pipe(near);
      for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  const url = new URL(withMode('disable'));
  url.port = String(typeof address === 'object' ? address?.port : 0);
  return { url: url.href, close: () => new Promise((resolve) => listening.close(resolve)) };
}

describe('a session is read back before it is used', () => {
  test.each([
    [
      'drops the options',
      (p: Map<string, string>) => p.delete('options'),
      /statement_timeout 0 ms, asked for 4000 ms/,
    ],
    [
      'leads to another database',
      (p: Map<string, string>) => p.set('database', 'template1'),
      /in the database template1/,
    ],
  ])('a pooler that %s is told, and the session is closed', async (_name, rewrite, words) => {
    await allow('host all all all scram-sha-256');
    const between = await pooler((parameters) => void rewrite(parameters));
    const connection = await open(between.url);
    expect(connection).toMatchObject({
      kind: 'unreachable',
      cause: 'pooler',
      message: expect.stringMatching(words),
    });
    expect(connection).toMatchObject({
      message: expect.stringContaining('give the URL of the server itself'),
    });
    await between.close();
  });

  test('without anything in between it is used', async () => {
    await allow('host all all all scram-sha-256');
    expect(await open(server.url)).toMatchObject({ kind: 'connected' });
  });
});

describe('what ends a session is no error of SQL', () => {
  const during = async (work: (database: Database) => Promise<unknown>) => {
    const connection = await open(server.url);
    if (connection.kind !== 'connected') throw new Error(connection.message);
    const result = await attempt(() => work(connection.database));
    await connection.database.close();
    return result;
  };

  test.each([
    ['ended by an administrator', 'select pg_terminate_backend(pg_backend_pid())'],
    ['idle too long', "set idle_session_timeout = '50ms'"],
  ])('%s', async (_name, sql) => {
    await allow('host all all all scram-sha-256');
    const ended = await during(async (database) => {
      await database.query(sql);
      await database.query('select pg_sleep(0)');
      await new Promise((resolve) => setTimeout(resolve, 400));
      await database.query('select 1');
    });
    expect(ended).toMatchObject({ kind: 'connection_lost' });
  });

  test('in a transaction that idled too long', async () => {
    const ended = await during((database) =>
      database.transaction(async (inside) => {
        await inside.query("set local idle_in_transaction_session_timeout = '50ms'");
        await new Promise((resolve) => setTimeout(resolve, 400));
        await inside.query('select 1');
      }),
    );
    expect(ended).toMatchObject({ kind: 'connection_lost' });
  });

  test('an error of SQL stays one', async () => {
    expect(await during((database) => database.query('select 1/0'))).toMatchObject({
      kind: 'sql_error',
      code: '22012',
    });
  });
});
