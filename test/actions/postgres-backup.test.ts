import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { postgresBackup } from '../../src/actions/postgres-backup.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { digest } from '../../src/clients/backup.js';
import {
  before,
  bind,
  contextOf,
  createWorld,
  probe,
  run,
  sql,
  type World,
  withClient,
} from '../checks/world.js';
import { eventually } from '../support/processes.js';

let world: World;
let url: string;

beforeAll(async () => {
  world = await createWorld();
  url = (await world.databaseAt(before)).url;
});
afterAll(() => world.drop());

/** The step with a backup folder of its own, so that nothing else can lie in it. */
let folders = 0;
function kindWith(given: { readonly minFreeBytes?: number } = {}) {
  folders += 1;
  const directory = join(world.directory, `backups-${folders}`);
  const deps: StepDeps = world.deps();
  const backups = { directory, minFreeBytes: given.minFreeBytes ?? 0 };
  return { directory, deps, kind: postgresBackup({ ...deps, config: { ...deps.config, backups } }) };
}

const filesIn = (directory: string) => readdir(directory).catch(() => []);
const sessionsOf = (name: string) =>
  sql(url, `select pid from pg_stat_activity where application_name = '${name}'`);
const Data = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  revision: z.string(),
  entries: z.number(),
});

test('leaves one proven file; its data says what is on the disk', async () => {
  const { kind, directory, deps } = kindWith();
  const context = contextOf(world.target({ databaseUrl: url }));
  const outcome = await run(kind, { label: 'good' }, context);
  expect(outcome).toMatchObject({ result: 'passed' });
  const data = Data.parse(outcome.data);
  expect(await filesIn(directory)).toEqual([data.path.slice(directory.length + 1)]);
  expect(data).toMatchObject({ bytes: (await stat(data.path)).size, revision: before });
  expect(data.sha256).toBe(await digest(data.path));
  expect(data.entries).toBeGreaterThan(10);
  expect(await probe(kind, { label: 'good' }, context)).toMatchObject({ kind: 'done', outcome: { data } });
  const record = await readFile(deps.processes.paths(`${context.childId}/dump`).child, 'utf8');
  expect(new URL(url).password).not.toBe('');
  expect(record).not.toContain(new URL(url).password);
});

test('the file of another attempt, or of a step whose name begins alike, is never taken for its own', async () => {
  const { kind, directory } = kindWith();
  const context = contextOf(world.target({ databaseUrl: url }));
  const other = {
    ...context,
    step: { ...context.step, id: 'one-1' },
    attempt: 2,
    childId: `${context.childId}x`,
  };
  expect(await run(kind, {}, other)).toMatchObject({ result: 'passed' });
  expect(await probe(kind, {}, context)).toMatchObject({ kind: 'not_done' });
  expect(await filesIn(directory)).toHaveLength(1);
});

test('says at the gate what it will do, without the password', async () => {
  const { kind, directory } = kindWith();
  const step = bind(kind, { label: 'good' });
  const context = contextOf(world.target({ databaseUrl: url }));
  const { words, commands } = step.describe(context);
  expect(words).toContain(directory);
  expect(commands.join('\n')).toContain('pg_restore --file=/dev/null');
  expect(commands.join('\n')).not.toContain(new URL(url).password);
  expect(await step.survey?.(context)).toMatchObject({ kind: 'surveyed', parts: { folder: directory } });
});

test('too little space is refused before anything is written', async () => {
  const { kind, directory } = kindWith({ minFreeBytes: 2 ** 60 });
  const outcome = await run(kind, {}, contextOf(world.target({ databaseUrl: url })));
  expect(outcome).toMatchObject({ result: 'failed' });
  expect(outcome.summary).toMatch(/free, .+ are needed; no backup was taken$/);
  expect(await filesIn(directory)).toEqual([]);
});

test('a missing pg_dump, a wrong password and an unreachable server are told apart', async () => {
  const { kind, directory } = kindWith();
  const without = contextOf(world.target({ databaseUrl: url, env: { PATH: '/nonexistent' } }));
  expect((await run(kind, {}, without)).summary).toContain('not found: pg_dump');

  const role = `locked_out_${process.pid}`;
  await sql(url, `create role ${role} login password 'right'`);
  const wrong = new URL(url);
  wrong.username = role;
  wrong.password = 'wrong-secret';
  const refused = await run(kind, {}, contextOf(world.target({ databaseUrl: wrong.href })));
  await sql(url, `drop role ${role}`);
  expect(refused).toMatchObject({ result: 'failed' });
  expect(refused.summary).toContain('password authentication failed');
  expect(JSON.stringify(refused)).not.toContain('wrong-secret');

  const nowhere = contextOf(world.target({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/none' }));
  expect((await run(kind, {}, nowhere)).summary).toContain('cannot be reached');
  expect(await probe(kind, {}, nowhere)).toMatchObject({
    kind: 'unknown',
    evidence: expect.stringContaining('cannot be reached'),
  });
  expect(await filesIn(directory)).toEqual([]);
});

test('a dump, and somebody who moves the revision by hand, are waited for by nobody', async () => {
  const { kind } = kindWith();
  const context = () => contextOf(world.target({ databaseUrl: url }));
  await withClient(
    url,
    async () => expect((await run(kind, {}, context())).summary).toContain('a dump is running'),
    'pg_dump',
  );
  await withClient(
    url,
    async (client) => {
      await client.query('begin');
      await client.query('update alembic_version set version_num = version_num');
      expect((await run(kind, {}, context())).summary).toMatch(
        /"alembic by hand" of .+ is migrating production/,
      );
    },
    'alembic by hand',
  );
});

test('behind a lock it gives up in time and names who holds it', async () => {
  const { kind, directory } = kindWith();
  await withClient(
    url,
    async (client) => {
      await client.query('begin');
      await client.query('lock table m10_recovery.work_queue in access exclusive mode');
      const context = contextOf(world.target({ databaseUrl: url }));
      const outcome = await run(kind, { 'lock-timeout': '2s' }, context);
      expect(outcome).toMatchObject({ result: 'failed' });
      expect(outcome.summary).toContain('"forgotten console"');
    },
    'forgotten console',
  );
  expect(await filesIn(directory)).toEqual([]);
});

test('stopped in the middle: no child, no session and no file is left; before that the probe sees it run', async () => {
  const { kind, directory } = kindWith();
  const stop = new AbortController();
  const context = contextOf(world.target({ databaseUrl: url }), { signal: stop.signal });
  const args = { 'lock-timeout': '60s' };
  await withClient(url, async (client) => {
    await client.query('begin');
    await client.query('lock table m10_recovery.work_queue in access exclusive mode');
    const running = run(kind, args, context);
    expect(await eventually(async () => (await sessionsOf(context.applicationName)).length > 0)).toBe(true);
    expect(await probe(kind, args, context)).toMatchObject({ kind: 'running' });
    expect(await filesIn(directory)).toEqual([expect.stringMatching(/\.dump\.part$/)]);
    stop.abort();
    const outcome = await running;
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('it was ended before it was done (stopped)');
    expect(await sessionsOf(context.applicationName)).toEqual([]);
  });
  expect(await filesIn(directory)).toEqual([]);
  expect(await probe(kind, args, context)).toMatchObject({ kind: 'not_done' });
});

test('killed by somebody else, or its session ended by the server: failed, and no file', async () => {
  const { kind, directory, deps } = kindWith();
  await withClient(url, async (client) => {
    await client.query('begin');
    await client.query('lock table m10_recovery.work_queue in access exclusive mode');
    const killed = contextOf(world.target({ databaseUrl: url }));
    const args = { 'lock-timeout': '60s' };
    const first = run(kind, args, killed);
    expect(await eventually(async () => (await sessionsOf(killed.applicationName)).length > 0)).toBe(true);
    const sighting = deps.processes.look(`${killed.childId}/dump`);
    if (sighting.kind !== 'running') throw new Error(`the dump is ${sighting.kind}`);
    process.kill(sighting.pid, 'SIGKILL');
    expect((await first).summary).toContain('somebody else sent SIGKILL');
    expect(await sessionsOf(killed.applicationName)).toEqual([]);

    const ended = contextOf(world.target({ databaseUrl: url }));
    const second = run(kind, args, ended);
    expect(await eventually(async () => (await sessionsOf(ended.applicationName)).length > 0)).toBe(true);
    await sql(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${ended.applicationName}'`,
    );
    expect(await second).toMatchObject({ result: 'failed' });
  });
  expect(await filesIn(directory)).toEqual([]);
});

test('a dump that cannot be read back loses its name', async () => {
  // A pg_restore that lists and then fails, as it would for a file that a bad disk has damaged.
  const tools = join(world.directory, 'half-blind');
  await mkdir(tools);
  const real = inject('toolPath');
  const script = `#!/bin/sh\ncase "$1" in --file=*) echo damaged >&2; exit 1;; esac\nPATH='${real}' exec pg_restore "$@"\n`;
  await writeFile(join(tools, 'pg_restore'), script, { mode: 0o755 });
  const { kind, directory } = kindWith();
  const context = contextOf(world.target({ databaseUrl: url, env: { PATH: `${tools}:${real}` } }));
  const outcome = await run(kind, {}, context);
  expect(outcome).toMatchObject({ result: 'failed' });
  expect(outcome.summary).toContain('cannot be read to its end (damaged)');
  expect(await filesIn(directory)).toEqual([expect.stringMatching(/\.dump\.unproven$/)]);
  expect(await probe(kind, {}, context)).toMatchObject({ kind: 'not_done' });
});

test('after a crash: a finished file is proven, a cut one failed, an unread one unknown', async () => {
  const { kind } = kindWith();
  const target = world.target({ databaseUrl: url });
  const context = contextOf(target);
  const { path, bytes } = Data.parse((await run(kind, {}, context)).data);
  const blind = { ...context, target: { ...target, env: { PATH: '/nonexistent' } } };
  expect(await probe(kind, {}, blind)).toMatchObject({ kind: 'unknown' });
  await truncate(path, Math.floor(bytes * 0.99));
  expect(await probe(kind, {}, context)).toMatchObject({ kind: 'done', outcome: { result: 'failed' } });
});
