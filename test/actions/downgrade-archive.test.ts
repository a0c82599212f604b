import { Readable } from 'node:stream';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { alembicDowngrade } from '../../src/actions/alembic/downgrade.js';
import { countCopied, tableKey } from '../../src/actions/archive/read-back.js';
import { postgresArchive } from '../../src/actions/postgres-archive.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { createPlans } from '../../src/checks/plan/plans.js';
import type { TargetConfig } from '../../src/config.js';
import type { Runbook } from '../../src/runbook/definition.js';
import {
  after,
  before,
  contextOf,
  createWorld,
  run,
  runbook,
  sql,
  type World,
  withClient,
} from '../checks/world.js';

/** Nothing is dropped that no archive holds, whoever writes meanwhile. */
let world: World;
let deps: StepDeps;
beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
});
afterAll(() => world.drop());

const tables = ['distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox'];
const archiveArgs = { schema: 'm10_recovery', tables };
const down = { from: after, to: before, archive: 'keep', backoff: '50ms' };
const book: Runbook = {
  ...runbook,
  rollback: {
    ...runbook.rollback,
    steps: [
      { id: 'keep', title: 'Keep', uses: 'postgres.archive', with: archiveArgs, timeout: 60_000 },
      ...runbook.rollback.steps,
    ],
  },
};

async function target(): Promise<TargetConfig> {
  const database = await world.databaseAt(after);
  const made = world.target({ databaseUrl: database.url, directory: await world.backend('good') });
  await sql(made.databaseUrl, publish(5));
  return made;
}

const publish = (count: number) =>
  `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
   select 'order', gen_random_uuid()::text, 'order.created', '{"n": 1}' from generate_series(1, ${count}) n`;

async function archived(on: TargetConfig) {
  const outcome = await run(postgresArchive(deps), archiveArgs, contextOf(on));
  expect(outcome).toMatchObject({ result: 'passed' });
  return outcome.data ?? {};
}

const downgrade = (on: TargetConfig, data: Record<string, unknown>, args: object = down) => {
  const context = { ...contextOf(on, { data: { keep: data } }), runbook: book };
  return run(alembicDowngrade(deps, createPlans(deps)), args, context);
};

const left = async (on: TargetConfig) =>
  (await sql(on.databaseUrl, `select to_regclass('m10_recovery.outbox') is not null as there`))[0]?.there;

/** The rows of the outbox that the newest archive would give back. */
async function kept(path: string): Promise<number | undefined> {
  const { stdout } = await execa('pg_restore', ['--data-only', '--file=-', path]);
  const counts = await countCopied(Readable.from([Buffer.from(`${stdout}\n`)]));
  return counts.get(tableKey('m10_recovery', 'outbox'));
}

test('goes back where the rows are the ones that were archived, and says how many', async () => {
  const on = await target();
  const outcome = await downgrade(on, await archived(on));
  expect(outcome).toMatchObject({
    result: 'passed',
    summary: expect.stringContaining('5 rows are archived'),
  });
  expect(outcome.notes ?? []).toEqual([]);
  expect(await left(on)).toBe(false);
});

test.each([
  ['written', publish(7), 12],
  ['changed', `update m10_recovery.outbox set processed_at = now() where id = 1`, 5],
  ['exchanged', `delete from m10_recovery.outbox where id = 1; ${publish(1)}`, 5],
])('archives anew before it drops rows that were %s since', async (_how, meanwhile, rows) => {
  const on = await target();
  const data = await archived(on);
  await sql(on.databaseUrl, meanwhile);
  const outcome = await downgrade(on, data);
  expect(outcome).toMatchObject({
    result: 'passed',
    summary: expect.stringContaining(`${rows} rows are archived`),
  });
  const path = z
    .string()
    .parse(/the one that holds all of them is (\S+)/.exec(outcome.notes?.join('\n') ?? '')?.[1]);
  expect(path).not.toBe(data.path);
  expect(await kept(path)).toBe(rows);
  expect(await left(on)).toBe(false);
});

test('drops nothing that is not in an archive while others go on writing', async () => {
  const on = await target();
  const data = await archived(on);
  let written = 5;
  let ended = false;
  const writing = withClient(on.databaseUrl, async (client) => {
    while (!ended) {
      await client.query(publish(1));
      written += 1;
    }
  }).catch(() => undefined);
  const outcome = await downgrade(on, data, { ...down, attempts: 2 });
  ended = true;
  await writing;
  if (outcome.result === 'passed') {
    const path = /the one that holds all of them is (\S+)/.exec(outcome.notes?.join('\n') ?? '')?.[1] ?? '';
    expect(await kept(path)).toBe(written);
  } else {
    expect(outcome.summary).toContain('rows are written faster than they are archived');
    expect(await left(on)).toBe(true);
  }
});

test('does not go back where nothing was archived in this run', async () => {
  const on = await target();
  const context = { ...contextOf(on), runbook: book };
  const outcome = await run(alembicDowngrade(deps, createPlans(deps)), down, context);
  expect(outcome).toMatchObject({
    result: 'failed',
    summary: expect.stringContaining('has archived nothing'),
  });
  expect(await left(on)).toBe(true);
});

test('archives anew where the archive is of a version that kept no marks', async () => {
  const on = await target();
  const { marks: _, ...old } = await archived(on);
  expect(await downgrade(on, old)).toMatchObject({ result: 'passed' });
  expect(await left(on)).toBe(false);
});
