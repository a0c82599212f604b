import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import {
  cancelSessions,
  readActivity,
  readLongTransactions,
  readOwnSessions,
  readRunningDumps,
  readSessionsByName,
  shownName,
  terminateSessions,
  waitGone,
} from '../../../src/clients/postgres/activity.js';
import { attempt } from '../../../src/clients/postgres/failure.js';
import type { Database } from '../../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await freshDatabase('clients activity');
  database = await openDatabase(fresh.url);
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

const named = (applicationName: string) => openDatabase(fresh.url, { applicationName });

it('lists the other sessions of this database with what they do', async () => {
  const other = await named('app one');
  await other.query('begin');
  await other.query(`select 1 /* ${'x'.repeat(500)} */`);
  const sessions = await readActivity(database);
  expect(sessions).toHaveLength(1);
  expect(sessions[0]).toMatchObject({
    pid: other.backendPid,
    applicationName: 'app one',
    state: 'idle in transaction',
    hidden: false,
  });
  expect(sessions[0]?.query).toHaveLength(300);
  expect(sessions[0]?.transactionSeconds).toBeGreaterThanOrEqual(0);
  expect(await readLongTransactions(database, 0)).toHaveLength(1);
  expect(await readLongTransactions(database, 3_600)).toEqual([]);
  await other.query('commit');
  expect(await readLongTransactions(database, 0)).toEqual([]);
  await other.close();
});

it('does not miss sessions that the role may not see', async () => {
  const other = await named('someone else');
  await database.query('create role activity_reader');
  try {
    const sessions = await database.rolledBack(async (tx) => {
      await tx.query('set local role activity_reader');
      return readActivity(tx);
    });
    expect(sessions).toMatchObject([{ pid: other.backendPid, state: null, query: null, hidden: true }]);
  } finally {
    await database.query('drop role activity_reader');
    await other.close();
  }
});

it('finds a dump by its name, and by its COPY when it goes by another', async () => {
  const dump = await named('pg_dump');
  const renamed = await named('m10bot:backup');
  const idle = await named('pg_dumpling');
  const copy = renamed.query('copy (select pg_sleep(30)) to stdout').catch(() => undefined);
  await expect
    .poll(async () => (await readRunningDumps(database)).map((session) => session.pid))
    .toEqual([dump.backendPid, renamed.backendPid].sort((a, b) => a - b));
  await terminateSessions(database, { applicationName: 'm10bot:backup' });
  await copy;
  for (const each of [dump, renamed, idle]) await each.close();
});

it('finds sessions by a prefix, taken literally', async () => {
  const sessions = [await named('m10_a:1'), await named('m10xa:1'), await named('other')];
  expect((await readSessionsByName(database, 'm10_')).map((session) => session.applicationName)).toEqual([
    'm10_a:1',
  ]);
  for (const session of sessions) await session.close();
});

it('cancels a statement and terminates a session, by exact name', async () => {
  const victim = await named('victim');
  const bystander = await named('victim too');
  const sleeping = attempt(() => victim.query('select pg_sleep(60)'));
  await expect
    .poll(async () => (await readSessionsByName(database, 'victim')).map((session) => session.state))
    .toContain('active');
  expect(await cancelSessions(database, { applicationName: 'victim' })).toEqual([
    { pid: victim.backendPid, signalled: true },
  ]);
  expect(await sleeping).toMatchObject({ kind: 'sql_error', code: '57014' });
  expect(await terminateSessions(database, { applicationName: 'victim' })).toEqual([
    { pid: victim.backendPid, signalled: true },
  ]);
  expect(await waitGone(database, { applicationName: 'victim' }, 10_000)).toEqual({ kind: 'gone' });
  expect(await waitGone(database, { applicationName: 'victim too' }, 0)).toMatchObject({
    kind: 'still_there',
  });
  expect((await bystander.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await victim.close();
  await bystander.close();
});

it('compares names as the server keeps them', async () => {
  const long = `m10bot:${'läng'.repeat(30)}`;
  const other = await named(long);
  expect((await readActivity(database))[0]?.applicationName).toBe(shownName(long));
  expect(await waitGone(database, { applicationName: long }, 0)).toMatchObject({ kind: 'still_there' });
  await other.close();
  expect(await waitGone(database, { applicationName: long }, 10_000)).toEqual({ kind: 'gone' });
});

it('finds the backends of a program under any name, and never a later one with the same pid', async () => {
  const own = await named('chosen by env.py');
  const [row] = await database.rows(
    z.object({ start: z.string() }),
    'select extract(epoch from backend_start)::text as start from pg_stat_activity where pid = $1',
    [own.backendPid],
  );
  const backends = (start: string) => ({
    applicationName: 'm10bot:none',
    backends: [{ pid: own.backendPid, start }],
  });
  expect(await readOwnSessions(database, backends(row?.start ?? ''))).toMatchObject([
    { pid: own.backendPid, applicationName: 'chosen by env.py' },
  ]);
  expect(await readOwnSessions(database, backends('1.5'))).toEqual([]);
  expect(await terminateSessions(database, backends('1.5'))).toEqual([]);
  await own.close();
});
