import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { postgresArchive } from '../../src/actions/postgres-archive.js';
import { postgresBackup } from '../../src/actions/postgres-backup.js';
import type { StepDeps } from '../../src/checks/deps.js';
import {
  after,
  before,
  contextOf,
  createWorld,
  probe,
  run,
  sql,
  type World,
  withClient,
} from '../checks/world.js';

let world: World;
let deps: StepDeps;

beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
});
afterAll(() => world.drop());

async function targetAt(revision: string) {
  return world.target({ databaseUrl: (await world.databaseAt(revision)).url });
}

const Data = z.object({ path: z.string(), bytes: z.number(), sha256: z.string() });
const nowhere = 'postgresql://a:b@127.0.0.1:9/none';

function restore(url: string, ...args: readonly string[]) {
  return execa('pg_restore', ['--no-password', `--dbname=${url}`, ...args], {
    env: { PATH: inject('toolPath') },
    extendEnv: false,
    reject: false,
  });
}

describe('postgres.backup', () => {
  const backup = () => postgresBackup(deps);

  test('leaves one file with its run, target, step, revision and time in the name, proven and restorable', async () => {
    const target = await targetAt(before);
    const outcome = await run(backup(), { label: 'pre_m10_022' }, contextOf(target));
    expect(outcome.result).toBe('passed');
    expect(outcome.summary).toMatch(new RegExp(`production at ${before} is backed up: .+ read to the end`));
    const { path, bytes, sha256 } = Data.parse(outcome.data);
    expect(path).toMatch(new RegExp(`pre_m10_022-run7-production-one-1-${before}-\\d{8}T\\d{6}Z\\.dump$`));
    expect(outcome.data?.revision).toBe(before);
    expect((await stat(path)).size).toBe(bytes);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await readdir(world.backups)).filter((n) => n.endsWith('.part'))).toEqual([]);
    const copy = await world.databaseAt(null);
    expect((await restore(copy.url, path)).exitCode).toBe(0);
    expect(await sql(copy.url, 'select count(*)::int as n from public.recovery_candidates')).toEqual([
      { n: 1500 },
    ]);
  });

  test('a database that does not exist leaves no file', async () => {
    const folder = join(world.directory, 'none');
    const own = { ...deps, config: { ...deps.config, backups: { directory: folder, minFreeBytes: 0 } } };
    const outcome = await run(postgresBackup(own), {}, contextOf(world.target({ databaseUrl: nowhere })));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('no backup was taken');
    await expect(readdir(folder)).rejects.toThrow();
  });

  test('is refused while another change is at work', async () => {
    const target = await targetAt(before);
    await withClient(
      target.databaseUrl,
      async () => {
        const outcome = await run(backup(), {}, contextOf(target));
        expect(outcome).toMatchObject({ result: 'failed' });
        expect(outcome.summary).toContain('another step is at work');
      },
      'm10bot:6:phase:production:production.apply:1',
    );
  });

  test('stopped behind a lock, it leaves no file and no session', async () => {
    const target = await targetAt(before);
    const context = contextOf(target, { timeout: 1_000 });
    await withClient(target.databaseUrl, async (client) => {
      await client.query('begin');
      await client.query('lock table m10_recovery.work_queue in access exclusive mode');
      const outcome = await run(backup(), { label: 'stuck' }, context);
      expect(outcome.result).toBe('failed');
      expect(outcome.summary).toContain('it was ended before it was done');
      const left = `select 1 from pg_stat_activity where application_name = '${context.applicationName}'`;
      expect(await sql(target.databaseUrl, left)).toEqual([]);
    });
    expect((await readdir(world.backups)).filter((n) => n.startsWith('stuck'))).toEqual([]);
  });

  test('a folder that cannot be written to is named', async () => {
    const file = join(world.directory, 'a-file');
    await writeFile(file, '');
    const own = {
      ...deps,
      config: { ...deps.config, backups: { directory: join(file, 'x'), minFreeBytes: 0 } },
    };
    const target = await targetAt(after);
    const refused = await run(postgresBackup(own), {}, contextOf(target));
    expect(refused).toMatchObject({ result: 'failed' });
    expect(refused.summary).toContain('does not exist and cannot be made');
    const args = { schema: 'm10_recovery', tables: ['outbox'] };
    const archived = await run(postgresArchive(own), args, contextOf(target));
    expect(archived).toMatchObject({ result: 'failed' });
    expect(archived.summary).toContain('does not exist and cannot be made');
  });

  test('the probe proves a finished file, and takes a cut one for a failure', async () => {
    const target = await targetAt(before);
    const context = contextOf(target);
    const args = { label: 'probed' };
    expect(await probe(backup(), args, context)).toMatchObject({ kind: 'not_done' });
    const outcome = await run(backup(), args, context);
    expect(await probe(backup(), args, context)).toMatchObject({
      kind: 'done',
      outcome: { result: 'passed' },
    });
    const { path, bytes } = Data.parse(outcome.data);
    await truncate(path, Math.floor(bytes * 0.99));
    const cut = await probe(backup(), args, context);
    expect(cut).toMatchObject({ kind: 'done', outcome: { result: 'failed' } });
    expect(JSON.stringify(cut)).toContain('cannot be read to its end');
  });

  test('the probe sees a dump that is still running, and removes a part that nobody writes', async () => {
    const target = await targetAt(before);
    const context = contextOf(target);
    await mkdir(world.backups, { recursive: true });
    const part = join(world.backups, 'half-run7-production-one-1-x.dump.part');
    await writeFile(part, 'half');
    await withClient(
      target.databaseUrl,
      async () => {
        expect(await probe(backup(), { label: 'half' }, context)).toMatchObject({ kind: 'running' });
      },
      context.applicationName,
    );
    expect(await probe(backup(), { label: 'half' }, context)).toMatchObject({ kind: 'not_done' });
    await expect(stat(part)).rejects.toThrow();
  });
});

describe('postgres.archive', () => {
  const archive = () => postgresArchive(deps);
  const args = {
    schema: 'm10_recovery',
    tables: ['distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox'],
  };

  test('keeps the rows with their counts, and they come back with pg_restore', async () => {
    const target = await targetAt(after);
    await sql(
      target.databaseUrl,
      `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
       select 'order', n::text, 'notify:x', '{}' from generate_series(1, 3) n`,
    );
    await sql(target.databaseUrl, `select m10_recovery.acquire_lock('a', 'b', 60)`);
    const context = contextOf(target);
    const outcome = await run(archive(), args, context);
    expect(outcome.result).toBe('passed');
    expect(outcome.summary).toContain('distributed_locks 1, replay_log 0, dead_letter_archive 0, outbox 3');
    const { path } = Data.parse(outcome.data);
    expect(JSON.parse(await readFile(`${path}.json`, 'utf8'))).toMatchObject({ rows: { outbox: 3 } });
    await sql(target.databaseUrl, 'truncate m10_recovery.outbox');
    const back = await restore(target.databaseUrl, '--data-only', '--table=outbox', path);
    expect(back.stderr).toBe('');
    expect(await sql(target.databaseUrl, 'select count(*)::int as n from m10_recovery.outbox')).toEqual([
      { n: 3 },
    ]);
    expect(await probe(archive(), args, context)).toMatchObject({
      kind: 'done',
      outcome: { result: 'passed', data: { rows: { outbox: 3 } } },
    });
  });

  test('without the tables there is nothing to archive, and no file', async () => {
    const target = await targetAt(before);
    const context = contextOf(target);
    const outcome = await run(archive(), { ...args, schema: 'm10_recovery' }, context);
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('nothing to archive');
    expect(await probe(archive(), { schema: 'none', tables: ['x'] }, context)).toMatchObject({
      kind: 'not_done',
    });
  });

  test('an unreachable database fails, and its probe does not know', async () => {
    const context = contextOf(world.target({ databaseUrl: nowhere }));
    const outcome = await run(archive(), args, context);
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('was not archived: its database cannot be reached');
    expect(await probe(archive(), args, context)).toMatchObject({ kind: 'unknown' });
  });
});
