import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alembicDowngrade } from '../../src/actions/alembic/downgrade.js';
import { alembicUpgrade } from '../../src/actions/alembic/upgrade.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { createPlans, type Plans } from '../../src/checks/plan/plans.js';
import type { TargetConfig } from '../../src/config.js';
import type { BackendVariant } from '../../workspace/backend/variants.js';
import {
  after,
  before,
  beyond,
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
let plans: Plans;

beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
  plans = createPlans(deps);
  await world.databaseAt(before);
});
afterAll(() => world.drop());

const up = { from: before, to: after };
const down = { from: after, to: before };

async function targetAt(revision: string, variant: BackendVariant = 'good', sleepSeconds?: number) {
  const database = await world.databaseAt(revision);
  const directory = await world.backend(variant, sleepSeconds);
  return world.target({ databaseUrl: database.url, directory });
}

async function revisionOf(target: TargetConfig): Promise<unknown> {
  return (await sql(target.databaseUrl, 'select version_num from alembic_version'))[0]?.version_num;
}

async function objectsOf022(target: TargetConfig): Promise<unknown> {
  const rows = await sql(
    target.databaseUrl,
    `select count(*)::int as n from pg_class c join pg_namespace s on s.oid = c.relnamespace
     where s.nspname = 'm10_recovery' and relname in ('distributed_locks', 'replay_log', 'outbox')`,
  );
  return rows[0]?.n;
}

/** Polls until the condition holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the awaited condition did not come about');
    await sleep(50);
  }
}

describe('alembic.upgrade', () => {
  const upgrade = () => alembicUpgrade(deps, plans);

  test('goes from exactly 021 to exactly 022 and says so', async () => {
    const target = await targetAt(before);
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome).toMatchObject({
      result: 'passed',
      summary: `production went from ${before} to ${after}`,
    });
    expect(outcome.output).toContain(`Running upgrade ${before} -> ${after}`);
    expect(await revisionOf(target)).toBe(after);
  });

  test('a database at 022 already is refused, where Alembic itself would do nothing and exit 0', async () => {
    const target = await targetAt(after);
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain(`is at ${after} already`);
    expect(outcome.summary).toContain('nothing was run');
  });

  test('a database past 022 is refused', async () => {
    const target = await targetAt(beyond);
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome.summary).toContain(`is at ${beyond}, expected exactly ${before}`);
  });

  test('a database before 021 is refused: more than 022 would run', async () => {
    const target = await targetAt('020_m10_matview_tracking');
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('is at 020_m10_matview_tracking');
  });

  test('a failure half-way leaves 021 and nothing of 022, and says so', async () => {
    const target = await targetAt(before, 'fails-half-way');
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('origin_kind');
    expect(outcome.summary).toContain('nothing of it stayed: no transaction of it was committed');
    expect(await revisionOf(target)).toBe(before);
    expect(await objectsOf022(target)).toBe(0);
  });

  test('a failure outside the transaction is not said to have left nothing', async () => {
    const target = await targetAt(before, 'autocommit-block-fails');
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toMatch(/part of it stayed: \d+ statements were committed/);
    expect(await objectsOf022(target)).toBe(3);
  });

  test('a row lock on alembic_version ends the wait, and who holds it is named', async () => {
    const target = await targetAt(before);
    await withClient(
      target.databaseUrl,
      async (client) => {
        await client.query('begin');
        await client.query('select * from alembic_version for update');
        const outcome = await run(upgrade(), { ...up, 'lock-timeout': '1s' }, contextOf(target));
        expect(outcome.result).toBe('failed');
        expect(outcome.summary).toContain('It waited 1 s for a lock and gave up, behind session');
        expect(outcome.summary).toContain('"forgotten console"');
      },
      'forgotten console',
    );
    expect(await revisionOf(target)).toBe(before);
  });

  test('an open transaction on an existing table does not block it', async () => {
    const target = await targetAt(before);
    await withClient(target.databaseUrl, async (client) => {
      await client.query('begin');
      await client.query('select * from m10_recovery.work_queue');
      expect(await run(upgrade(), up, contextOf(target))).toMatchObject({ result: 'passed' });
    });
  });

  test('a running dump is waited for by nobody: the upgrade is refused', async () => {
    const target = await targetAt(before);
    await withClient(
      target.databaseUrl,
      async () => {
        const outcome = await run(upgrade(), up, contextOf(target));
        expect(outcome.summary).toContain('a dump is running');
      },
      'pg_dump',
    );
  });

  test('a backup of another revision, or of no step, is refused', async () => {
    const target = await targetAt(before);
    const args = { ...up, backup: 'production.backup' };
    const none = await run(upgrade(), args, contextOf(target));
    expect(none.summary).toContain('the step production.backup of this run left no backup');
    const old = { path: '/nowhere', bytes: 1, revision: after };
    const wrong = await run(upgrade(), args, contextOf(target, { data: { 'production.backup': old } }));
    expect(wrong.summary).toContain(`was taken at ${after}, expected ${before}`);
    const gone = { path: '/nowhere', bytes: 1, revision: before };
    const missing = await run(upgrade(), args, contextOf(target, { data: { 'production.backup': gone } }));
    expect(missing.summary).toContain('is not there any more');
  });

  test('an unreachable database fails before anything is run', async () => {
    const directory = await world.backend();
    const target = world.target({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/none', directory });
    const outcome = await run(upgrade(), up, contextOf(target));
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('nothing was run');
  });

  test('an unknown revision is refused by the plan', async () => {
    const target = await targetAt(before);
    const outcome = await run(upgrade(), { ...up, to: '0xx_unknown' }, contextOf(target));
    expect(outcome.summary).toContain("Can't locate revision");
  });

  test('of two upgrades at once, one passes and the other says that it did not', async () => {
    const target = await targetAt(before, 'slow', 1);
    const outcomes = await Promise.all([
      run(upgrade(), { ...up, 'lock-timeout': '20s' }, contextOf(target)),
      run(upgrade(), { ...up, 'lock-timeout': '20s' }, contextOf(target)),
    ]);
    expect(outcomes.map((o) => o.result).sort()).toEqual(['failed', 'passed']);
    expect(await revisionOf(target)).toBe(after);
  });

  test('stopped in the middle: the backend is gone before the result is told', async () => {
    const target = await targetAt(before, 'slow', 30);
    const stop = new AbortController();
    const context = contextOf(target, { signal: stop.signal });
    const running = run(upgrade(), up, context);
    await until(async () => (await probe(upgrade(), up, context)).kind === 'running');
    await until(
      async () =>
        (
          await sql(
            target.databaseUrl,
            `select 1 from pg_stat_activity where query like 'SELECT pg_sleep%' and datname = current_database()`,
          )
        ).length > 0,
    );
    stop.abort();
    const outcome = await running;
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('was stopped before it was done');
    expect(outcome.summary).toContain('nothing of it stayed');
    const left = `select 1 from pg_stat_activity where application_name = '${context.applicationName}'`;
    expect(await sql(target.databaseUrl, left)).toEqual([]);
    expect(await revisionOf(target)).toBe(before);
    expect(await probe(upgrade(), up, context)).toMatchObject({ kind: 'not_done' });
  });

  test('the probe tells done, not done and neither apart', async () => {
    const done = await probe(upgrade(), up, contextOf(await targetAt(after)));
    expect(done).toMatchObject({ kind: 'done', outcome: { result: 'passed' } });
    expect(await probe(upgrade(), up, contextOf(await targetAt(before)))).toMatchObject({ kind: 'not_done' });
    expect(await probe(upgrade(), up, contextOf(await targetAt(beyond)))).toMatchObject({ kind: 'unknown' });
    const target = world.target({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/none' });
    expect(await probe(upgrade(), up, contextOf(target))).toMatchObject({ kind: 'unknown' });
  });

  test('what was committed half-way is never called not done', async () => {
    const halfway = contextOf(await targetAt(before, 'autocommit-block-fails'));
    expect(await run(upgrade(), up, halfway)).toMatchObject({ result: 'failed' });
    expect(await probe(upgrade(), up, halfway)).toMatchObject({
      kind: 'unknown',
      evidence: expect.stringContaining('part of it stayed'),
    });
  });

  test('a session that outlived its client is still running', async () => {
    const target = await targetAt(before);
    const context = contextOf(target);
    await withClient(
      target.databaseUrl,
      async () => {
        expect(await probe(upgrade(), up, context)).toMatchObject({ kind: 'running' });
      },
      context.applicationName,
    );
  });
});

describe('alembic.downgrade', () => {
  const downgrade = () => alembicDowngrade(deps, plans);

  test('goes from exactly 022 back to 021', async () => {
    const target = await targetAt(after);
    const outcome = await run(downgrade(), down, contextOf(target));
    expect(outcome).toMatchObject({
      result: 'passed',
      summary: `production went back from ${after} to ${before}`,
    });
    expect(await objectsOf022(target)).toBe(0);
  });

  test('at 021 already there is nothing to undo', async () => {
    const outcome = await run(downgrade(), down, contextOf(await targetAt(before)));
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('nothing to undo');
  });

  test('past 022 it is refused, where Alembic would undo everything after 022 too', async () => {
    const target = await targetAt(beyond);
    const outcome = await run(downgrade(), down, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain(`is at ${beyond}, expected exactly ${after}`);
    expect(await revisionOf(target)).toBe(beyond);
  });

  test('behind a reader it gives up, tries again, and goes through once the reader is gone', async () => {
    const target = await targetAt(after);
    const context = contextOf(target);
    const args = { ...down, 'lock-timeout': '1500ms', attempts: 10, backoff: '50ms' };
    await withClient(
      target.databaseUrl,
      async (client) => {
        await client.query('begin');
        await client.query('select * from m10_recovery.outbox');
        const running = run(downgrade(), args, context);
        await until(
          async () =>
            deps.processes.look(`${context.childId}/try-2/downgrade-${before}`).kind !== 'never_started',
        );
        await client.query('rollback');
        const outcome = await running;
        expect(outcome.result).toBe('passed');
        expect(outcome.summary).toMatch(/in attempt \d+$/);
        expect(outcome.output).toContain('"reporting"');
        expect(outcome.output).toContain('AccessShareLock on m10_recovery.outbox');
      },
      'reporting',
    );
  });

  test('behind a reader who stays it ends after its attempts, with nothing undone', async () => {
    const target = await targetAt(after);
    const args = { ...down, 'lock-timeout': '600ms', attempts: 2, backoff: '10ms' };
    await withClient(
      target.databaseUrl,
      async (client) => {
        await client.query('begin');
        await client.query('select * from m10_recovery.outbox');
        const outcome = await run(downgrade(), args, contextOf(target));
        expect(outcome.result).toBe('failed');
        expect(outcome.summary).toContain('all 2 attempts met a lock');
        expect(outcome.summary).toContain('"reporting"');
      },
      'reporting',
    );
    expect(await revisionOf(target)).toBe(after);
  });

  test('the probe tells done, not done and neither apart', async () => {
    expect(await probe(downgrade(), down, contextOf(await targetAt(before)))).toMatchObject({ kind: 'done' });
    expect(await probe(downgrade(), down, contextOf(await targetAt(after)))).toMatchObject({
      kind: 'not_done',
    });
    expect(await probe(downgrade(), down, contextOf(await targetAt(beyond)))).toMatchObject({
      kind: 'unknown',
    });
  });
});

test('a request for the way back does not speak of a target that is back already', async () => {
  const surveyAt = async (revision: string) => {
    const target = await targetAt(revision);
    const { step, runbook } = contextOf(target);
    const bound = alembicDowngrade(deps, plans).bind(down);
    if (!bound.ok) throw new Error('the step cannot be bound');
    return bound.step.survey?.({ runbook, step, target, redact: (text) => text });
  };
  const back = await surveyAt(before);
  expect(back).toEqual({
    kind: 'surveyed',
    parts: { 'nothing to undo': expect.stringContaining('nothing is undone there') },
    sql: [],
    warnings: [`production is at ${before} already: nothing is undone there`],
  });
  // From where there is something to undo, all of it is covered, so that the one never passes for the other.
  const full = await surveyAt(after);
  if (full?.kind !== 'surveyed') throw new Error('nothing was surveyed');
  expect(full.sql).toMatchObject([{ from: after, to: before }]);
  expect(full.parts).not.toHaveProperty('nothing to undo');
});
