import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBlockers } from '../../../src/clients/postgres/blockers.js';
import type { Database } from '../../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await freshDatabase('clients blockers');
  database = await openDatabase(fresh.url);
  await database.query('create table thing (id int primary key)');
  await database.query('insert into thing values (1)');
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

it('shows a queue: a reader, the change behind it, and the reader behind the change', async () => {
  const reader = await openDatabase(fresh.url, { applicationName: 'reader' });
  const change = await openDatabase(fresh.url, { applicationName: 'change', lockTimeoutMs: 0 });
  const late = await openDatabase(fresh.url, { applicationName: 'late', lockTimeoutMs: 0 });
  await reader.query('begin');
  await reader.query('select * from thing');
  const changing = change.query('drop table thing');
  await expect.poll(() => readBlockers(database, { applicationName: 'change' })).toHaveLength(1);
  const reading = late.query('select count(*) from thing').catch(() => undefined);
  await expect
    .poll(() => readBlockers(database, { pid: late.backendPid }))
    .toMatchObject([
      {
        pid: late.backendPid,
        waitsFor: [{ mode: 'AccessShareLock', relation: 'thing' }],
        by: [{ pid: change.backendPid, query: 'drop table thing', waiting: true, holds: [] }],
      },
    ]);
  expect(await readBlockers(database, { pid: reader.backendPid })).toEqual([]);
  expect(await readBlockers(database, { applicationName: 'nobody' })).toEqual([]);
  // Expected before it happens: a rejection that nobody awaits yet would end the whole test run.
  const cancelled = expect(changing).rejects.toThrow(/cancel/);
  await database.query('select pg_cancel_backend($1)', [change.backendPid]);
  await cancelled;
  await reading;
  for (const each of [reader, change, late]) await each.close();
});

it('shows who holds a row', async () => {
  const writer = await openDatabase(fresh.url, { applicationName: 'writer' });
  const second = await openDatabase(fresh.url, { applicationName: 'second', lockTimeoutMs: 0 });
  await writer.query('begin');
  await writer.query('select * from thing where id = 1 for update');
  const waiting = second.query('update thing set id = 1 where id = 1');
  await expect
    .poll(() => readBlockers(database, { applicationName: 'second' }))
    .toMatchObject([
      {
        waitsFor: [{ type: 'transactionid', relation: null }],
        by: [{ pid: writer.backendPid, applicationName: 'writer', holds: [{ mode: 'ExclusiveLock' }] }],
      },
    ]);
  await writer.query('rollback');
  await waiting;
  await writer.close();
  await second.close();
});
