import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandArgs } from '../../src/checks/command/arguments.js';
import type { TargetConfig } from '../../src/config.js';
import type { JobReport } from '../../src/runbook/jobs/port.js';
import { createCommandJob } from '../../src/scheduler/command-job.js';
import { readSaid } from '../../src/scheduler/command-verdict.js';
import { createExecutor } from '../../src/scheduler/execute.js';
import type { Job } from '../../src/scheduler/job.js';
import { createDlReconcile } from '../../src/scheduler/jobs/dl-reconcile.js';
import { createMatviewRefresh } from '../../src/scheduler/jobs/matview-refresh.js';
import { createLeader } from '../../src/scheduler/leader.js';
import { noObserver } from '../../src/scheduler/observe.js';
import { createJobRuns } from '../../src/store/job-runs.js';
import { after, before, createWorld, sql, type World } from '../checks/world.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';
import { freshRedis } from '../support/database.js';

let world: World;
let state: StateDatabase;
let redisUrl: string;
let target: TargetConfig;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const python = ['python3', '-m'];
const reconcile = [...python, 'scripts.ops.reconcile_dl', '--json'];
const refresh = [...python, 'scripts.ops.refresh_matview', '--json'];

beforeAll(async () => {
  world = await createWorld();
  state = await stateDatabase();
  redisUrl = (await freshRedis()).url;
  target = world.target({
    databaseUrl: (await world.databaseAt(after)).url,
    redisUrl,
    directory: await world.backend(),
  });
});
afterAll(async () => {
  await state?.drop();
  await world?.drop();
});

const dlReconcile = createDlReconcile();

function program(
  argv: readonly string[],
  given: { readonly expect?: object; readonly dryRun?: readonly string[]; readonly builtIn?: Job } = {},
): Job {
  const args = CommandArgs.parse({ argv, ...(given.expect === undefined ? {} : { expect: given.expect }) });
  return createCommandJob(world.deps(), given.builtIn ?? dlReconcile, args, {
    timeoutMs: 60_000,
    dryRun: given.dryRun ?? null,
  });
}

async function run(
  job: Job,
  given: { readonly on?: TargetConfig; readonly dryRun?: boolean; readonly signal?: AbortSignal } = {},
): Promise<JobReport | null> {
  const on = given.on ?? target;
  const executor = createExecutor({
    target: on,
    runs: createJobRuns(state.pool, on.name),
    leader: createLeader({ holder: 'm10bot:test', connect: (as) => executor.connect(as), log }),
    owner: 'test',
    redact: (text) => text,
    observer: noObserver,
    log,
    now: Date.now,
  });
  return executor.execute({
    job,
    tick: null,
    trigger: 'hand',
    by: 'UALICE',
    dryRun: given.dryRun ?? false,
    timeoutMs: 60_000,
    signal: given.signal ?? new AbortController().signal,
    patienceMs: 0,
  });
}

describe('the team’s own programs', () => {
  test('reconcile_dl takes its lock itself, and its figures are the run’s', async () => {
    const report = await run(program(reconcile));
    expect(report).toMatchObject({ outcome: 'passed', counts: { scanned: 0, archived: 0, acknowledged: 0 } });
    expect(report?.summary).toMatch(/^python3 -m scripts.ops.reconcile_dl: scanned 0, /);
    expect(await sql(target.databaseUrl, 'select 1 from m10_recovery.distributed_locks')).toEqual([]);
  });

  test('"skipped" with the lock held: not a failure, and who has it is told', async () => {
    await sql(target.databaseUrl, `select m10_recovery.acquire_lock('m10:reconcile_dl', 'worker-7', 600)`);
    try {
      const report = await run(program(reconcile));
      expect(report).toMatchObject({ outcome: 'skipped' });
      expect(report?.summary).toContain('failed_to_acquire_lock');
      expect(report?.summary).toContain('worker-7 has the lock m10:reconcile_dl, until ');
    } finally {
      await sql(target.databaseUrl, `select m10_recovery.release_lock('m10:reconcile_dl', 'worker-7')`);
    }
  });

  test('at revision 021 it is not even started, and waits', async () => {
    const old = { ...target, databaseUrl: (await world.databaseAt(before)).url };
    const report = await run(program(reconcile), { on: old });
    expect(report).toMatchObject({ outcome: 'skipped', summary: expect.stringContaining('Waits for') });
  });

  test('without a database: a failure that names it', async () => {
    const nowhere = { ...target, databaseUrl: 'postgresql://a:b@127.0.0.1:9/none' };
    expect(await run(program(reconcile), { on: nowhere })).toMatchObject({
      outcome: 'failed',
      summary: expect.stringContaining('cannot be reached'),
    });
  });

  test('a program that alone does not reach the database says "skipped" too, and that is a failure', async () => {
    const astray = ['env', 'DATABASE_URL=postgresql://a:b@127.0.0.1:9/none', ...reconcile];
    const report = await run(program(astray));
    expect(report).toMatchObject({ outcome: 'failed', advice: expect.stringContaining('DATABASE_URL') });
    expect(report?.summary).toContain('the lock m10:reconcile_dl is free');
  });

  test('with Redis down its zeros are a failure, by the error on stderr', async () => {
    const report = await run(program(reconcile), { on: { ...target, redisUrl: 'redis://127.0.0.1:9/0' } });
    expect(report?.outcome).toBe('failed');
    expect(report?.summary).toContain('ERROR [reconcile_dl] Redis cannot be used');
    expect(report?.output).toContain('"scanned": 0');
  });

  const view = createMatviewRefresh({ view: 'mv_top_pending' });

  test('refresh_matview tells each view; what it says of itself counts', async () => {
    expect(await run(program(refresh, { builtIn: view }))).toMatchObject({ outcome: 'passed' });
    await sql(
      target.databaseUrl,
      `select m10_recovery.acquire_lock('m10:matview:mv_top_pending', 'worker-7', 600)`,
    );
    expect(await run(program(refresh, { builtIn: view }))).toMatchObject({
      outcome: 'skipped',
      summary: expect.stringContaining('worker-7'),
    });
    await sql(
      target.databaseUrl,
      `select m10_recovery.release_lock('m10:matview:mv_top_pending', 'worker-7')`,
    );
    await sql(target.databaseUrl, 'alter materialized view m10_recovery.mv_top_pending rename to away');
    try {
      const report = await run(program(refresh, { builtIn: view }));
      expect(report).toMatchObject({ outcome: 'failed' });
    } finally {
      await sql(target.databaseUrl, 'alter materialized view m10_recovery.away rename to mv_top_pending');
    }
  });

  test('refresh_matview --status that prints {} proves nothing', async () => {
    await sql(target.databaseUrl, 'truncate m10_recovery.matview_refresh_log');
    const report = await run(program([...refresh, '--status'], { builtIn: view }));
    expect(report).toMatchObject({ outcome: 'failed', summary: expect.stringContaining('empty answer') });
  });
});

describe('a dry run', () => {
  test('adds the arguments of the configuration', async () => {
    const report = await run(program(reconcile, { dryRun: ['--dry-run'] }), { dryRun: true });
    expect(report).toMatchObject({ outcome: 'passed', output: expect.stringContaining('"dry_run": true') });
  });

  test('is refused where there is none, and nothing is started', async () => {
    const file = join(world.directory, 'started');
    const report = await run(program(['touch', file]), { dryRun: true });
    expect(report).toMatchObject({ outcome: 'failed', advice: expect.stringContaining('dry-run') });
    expect(await readdir(world.directory)).not.toContain('started');
  });
});

describe('any program', () => {
  test('gets the target’s environment alone, is ended when it is told to, and leaves no files', async () => {
    const told = new AbortController();
    const script = join(world.directory, 'program.sh');
    await writeFile(script, '#!/bin/sh\necho "[$HOME][$PGAPPNAME]"\n');
    expect((await run(program(['/bin/sh', script])))?.output).toBe('[][m10bot job dl-reconcile]');
    const sleeping = run(program(['sleep', '60']), { signal: told.signal });
    told.abort('paused by <@UBOB>');
    expect(await sleeping).toMatchObject({ outcome: 'skipped' });
    const children = join(world.directory, 'children', 'jobs', target.name, 'dl-reconcile');
    await mkdir(children, { recursive: true });
    expect(await readdir(children)).toEqual([]);
  });

  test('is judged by the expectations of the configuration as well', async () => {
    const zero = program(reconcile, { expect: { 'stdout-json': { archived: { 'at-least': 1 } } } });
    expect(await run(zero)).toMatchObject({
      outcome: 'failed',
      summary: expect.stringContaining('expected at least 1 at archived, found 0'),
    });
    expect(await run(program(['/bin/sh', '-c', 'exit 3']))).toMatchObject({ outcome: 'failed' });
  });
});

describe('what a program says', () => {
  const said = (stdout: string, stderr = '', expect?: object) =>
    readSaid(
      CommandArgs.parse({ argv: ['x', '--json'], ...(expect ? { expect } : {}) }),
      stdout,
      stderr,
      (text) => text,
    );

  test('figures, also of several answers', () => {
    expect(said('[{"a": 1, "b": true}, {"a": 2}]')).toEqual({ kind: 'nothing_wrong', counts: { a: 3 } });
  });

  test('a traceback, an error line, no JSON, nothing, failure in words', () => {
    expect(said('{"a":1}', 'Traceback (most recent call last):\n  x')).toMatchObject({ kind: 'wrong' });
    expect(said('{"a":1}', '2026-01-01 ERROR redis')).toMatchObject({ kind: 'wrong' });
    expect(said('{"a":1}', 'INFO 0 errors found')).toMatchObject({ kind: 'nothing_wrong' });
    expect(said('done')).toMatchObject({ kind: 'wrong' });
    expect(said('[]')).toMatchObject({ kind: 'wrong' });
    expect(said('{"success": false, "error": "no view"}')).toMatchObject({
      kind: 'wrong',
      why: 'it says that it failed: no view',
    });
    expect(said('{"status": "skipped"}')).toEqual({ kind: 'skipped', reason: 'it does not say why' });
  });

  test('an expectation about stderr takes the place of the rule', () => {
    expect(said('{"a":1}', 'ERROR known and harmless', { 'stderr-not-matching': 'FATAL' })).toMatchObject({
      kind: 'nothing_wrong',
    });
  });
});
