import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startServices } from '../../../workspace/services/services.js';
import { compiled } from '../../support/compiled.js';
import { eventually, processesWith, stillRunning } from '../../support/processes.js';

let dist = '';
beforeAll(async () => {
  dist = await compiled();
});

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function rows(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('the servers are private, need their passwords, and leave nothing behind', async () => {
  const services = await startServices({ settings: { work_mem: '5MB' } });
  const { adminUrl } = services.postgres;
  try {
    expect(
      await rows(
        adminUrl,
        `select current_setting('listen_addresses') as address, current_setting('unix_socket_directories') as socket,
           current_setting('fsync') as fsync, current_setting('work_mem') as memory,
           current_setting('server_version') as version, left(rolpassword, 13) as secret
         from pg_authid where rolname = current_user`,
      ),
    ).toEqual([
      {
        address: '127.0.0.1',
        socket: '',
        fsync: 'on',
        memory: '5MB',
        version: '15.18',
        secret: 'SCRAM-SHA-256',
      },
    ]);
    // Everything lies where it is removed from, whoever the server runs as.
    expect(await rows(adminUrl, `select current_setting('data_directory') as folder`)).toEqual([
      { folder: join(services.directory, 'postgres', 'cluster') },
    ]);
    const wrong = new URL(adminUrl);
    wrong.password = 'wrong';
    await expect(rows(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });

    const redis = new Redis(services.redis.url);
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    redis.disconnect();
    const bare = new URL(services.redis.url);
    bare.password = '';
    const stranger = new Redis(bare.href, { retryStrategy: () => null });
    stranger.on('error', () => undefined);
    await expect(stranger.ping()).rejects.toThrow('NOAUTH');
    stranger.disconnect();
    expect(services.redis.createDb()).not.toBe(services.redis.createDb());

    const passwords = [new URL(adminUrl).password, new URL(services.redis.url).password];
    for (const password of passwords) expect(await processesWith(password)).toEqual([]);
    expect(await processesWith(services.directory)).not.toEqual([]);
  } finally {
    await services.stop();
  }
  await services.stop();
  expect(await exists(services.directory)).toBe(false);
  expect(await eventually(async () => (await processesWith(services.directory)).length === 0)).toBe(true);
});

test.runIf(process.getuid?.() === 0)(
  'a temporary folder that only root may enter is not used, so that nothing lies outside of the removed one',
  async () => {
    const closed = await mkdtemp(join(tmpdir(), 'm10-closed-'));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = closed;
    try {
      const services = await startServices({ fast: true });
      const [row] = await rows(
        services.postgres.adminUrl,
        `select current_setting('data_directory') as folder`,
      );
      await services.stop();
      expect(row).toEqual({ folder: join(services.directory, 'postgres', 'cluster') });
      expect(services.directory.startsWith(closed)).toBe(false);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      await rm(closed, { recursive: true });
    }
  },
);

test('databases are created from templates and dropped under open connections', async () => {
  const services = await startServices({ fast: true });
  try {
    const { createDatabase, dropDatabase, adminUrl } = services.postgres;
    await rows(await createDatabase('base'), 'create table thing as select 7 as n');
    const copy = await createDatabase('copy "of" base', { template: 'base' });
    expect(await rows(copy, 'select n from thing')).toEqual([{ n: 7 }]);
    const busy = new pg.Client({ connectionString: copy });
    const cut = new Promise((done) => busy.on('error', done));
    await busy.connect();
    await dropDatabase('copy "of" base');
    expect(await cut).toMatchObject({ code: '57P01' });
    await dropDatabase('copy "of" base');
    expect(await rows(adminUrl, `select datname from pg_database where datname ~ 'base' order by 1`)).toEqual(
      [{ datname: 'base' }],
    );
  } finally {
    await services.stop();
  }
});

const OWNER = `
import { spawn } from 'node:child_process';
const { startServices } = await import(process.argv[1]);
const services = await startServices({ fast: true });
const further = spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' });
services.watch(further.pid);
console.log(JSON.stringify({ directory: services.directory, pids: [services.postgres.pid, services.redis.pid, further.pid] }));
if (process.argv[2] === 'throw') setTimeout(() => { throw new Error('nobody catches this'); }, 10);
setInterval(() => {}, 1000);
`;
const Report = z.object({ directory: z.string(), pids: z.array(z.number().int().positive()).length(3) });

test.each(['SIGKILL', 'SIGINT', 'SIGTERM', 'throw'] as const)(
  'an owner that ends by %s leaves no process and no folder',
  async (end) => {
    const services = pathToFileURL(join(dist, 'workspace', 'services', 'services.js')).href;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, services, end], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const gone = new Promise((done) => owner.once('exit', done));
    const lines = createInterface({ input: owner.stdout });
    const first = await new Promise<string>((done, fail) => {
      lines.once('line', done);
      lines.once('close', () => fail(new Error('The owner ended before it reported.')));
    });
    const { directory, pids } = Report.parse(JSON.parse(first));
    expect(await exists(directory)).toBe(true);
    if (end !== 'throw') owner.kill(end);
    await gone;
    expect(await eventually(async () => !(await exists(directory)))).toBe(true);
    expect(await eventually(async () => (await processesWith(directory)).length === 0)).toBe(true);
    expect(await eventually(async () => (await stillRunning(pids)).length === 0)).toBe(true);
  },
);
