import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { readObserved } from '../../../src/clients/alembic.js';
import { readActivity, terminateSessions } from '../../../src/clients/postgres/activity.js';
import { carry, createPlace, limits, type Place } from './place.js';
import { plainEnv } from './project.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const table = "op.execute('create table t (id int primary key)')";
const count = z.object({ n: z.int() });

it('knows a transaction that SQL itself ends', async () => {
  const target = await place.database();
  const project = await place.project({
    versions: {
      a: [
        table,
        "op.execute('insert into t values (1)')",
        "op.execute('COMMIT')",
        "op.execute('insert into t values (2)')",
        "op.execute('insert into t values (3); commit; begin; insert into t values (4)')",
        "op.execute('insert into t values (3)')",
      ],
    },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '23505' }] } });
  const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
  expect(committed).toContain('insert into t values (1)');
  // psycopg2 begins no second transaction, so that this one was made last at once.
  expect(committed).toContain('insert into t values (2)');
  expect(committed).not.toContain('insert into t values (3)');
  expect(committed.some((sql) => sql.startsWith('insert into t values (3); commit'))).toBe(true);
  expect(await target.open.rows(count, 'select count(*)::int as n from t')).toEqual([{ n: 3 }]);
});

it('takes the words of a function body for no commit', async () => {
  const target = await place.database();
  const body = 'do $$ begin perform 1;\\nend; $$';
  const project = await place.project({
    versions: { a: [table, `op.execute("${body}")`, "op.execute('select 1/0')"] },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect((ran.observed?.committed ?? []).map((s) => s.sql)).not.toContain(
    'create table t (id int primary key)',
  );
});

it('counts nothing as committed whose commit failed', async () => {
  const target = await place.database();
  await target.open.query('create table d (id int unique deferrable initially deferred)');
  const project = await place.project({
    versions: { a: ["op.execute('insert into d values (1), (1)')"] },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '23505' }] } });
  expect((ran.observed?.committed ?? []).map((s) => s.sql)).not.toContain('insert into d values (1), (1)');
});

it('does not take a migration for done whose failure env.py swallows', async () => {
  const target = await place.database();
  const project = await place.project({
    env: plainEnv.replaceAll(
      '            context.run_migrations()',
      '            try:\n                context.run_migrations()\n            except Exception:\n                pass',
    ),
    versions: { a: ["op.execute('select 1/0')"] },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran.steps).toEqual([]);
  expect(ran).toMatchObject({ observed: { errors: [{ where: 'migration', sqlstate: '22012' }] } });
  expect(ran.kind).toBe('failed');
});

it('refuses again what a bare except goes on with', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `${plainEnv.replaceAll(
      '            context.run_migrations()',
      '            try:\n                context.run_migrations()\n            except:\n                connection.exec_driver_sql("create table sneaky (i int)")',
    )}`,
    versions: { a: [table], b: [] },
  });
  const alembic = place.alembic(target.url, project);
  const given = { ...limits, target: target.expected, files: {}, steps: [] };
  const ran = await alembic.migrate('upgrade', 'b', { ...given, from: ['a'] });
  expect(ran).toMatchObject({ kind: 'refused', observed: { refused: { code: 'other_revision' } } });
  expect(await target.open.rows(count, "select 1 as n from pg_tables where schemaname = 'public'")).toEqual(
    [],
  );
});

it('leaves a report that can be read when it is killed', async () => {
  const target = await place.database();
  const project = await place.project({
    versions: {
      a: [
        table,
        'with op.get_context().autocommit_block():',
        "    op.execute('create index concurrently i on t (id)')",
        "op.execute('insert into t values (1)')",
        "op.execute('select pg_sleep(600)')",
      ],
    },
  });
  const alembic = place.alembic(target.url, project, { applicationName: 'm10bot:killed' });
  const printed = await alembic.print('upgrade', [], 'a');
  if (printed.kind !== 'printed') throw new Error(printed.kind);
  const stop = new AbortController();
  const given = { ...limits, lockTimeoutMs: 2_000, graceMs: 0, signal: stop.signal, files: {} };
  const running = alembic.migrate('upgrade', 'a', {
    ...given,
    target: target.expected,
    from: [],
    steps: printed.steps,
  });
  await vi.waitFor(
    async () => {
      const sessions = await readActivity(target.open);
      expect(sessions.some((s) => /pg_sleep/.test(s.query ?? '') && s.state === 'active')).toBe(true);
    },
    { timeout: 30_000, interval: 100 },
  );
  stop.abort();
  expect(await running).toMatchObject({ kind: 'ended_early' });
  const observed = await readObserved(place.processes, alembic.processId('upgrade', 'a'));
  const committed = (observed?.committed ?? []).map((s) => s.sql);
  expect(committed).toContain('create index concurrently i on t (id)');
  expect(committed).not.toContain('insert into t values (1)');
  expect(observed?.done).toEqual([]);
  await terminateSessions(target.open, { applicationName: 'm10bot:killed' });
});
