import { afterAll, beforeAll, expect, it } from 'vitest';
import { countRows, readDatabaseSize } from '../../../src/clients/postgres/counts.js';
import type { Database } from '../../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await freshDatabase('clients counts');
  database = await openDatabase(fresh.url);
  await database.query('create table "Mixed Case" as select generate_series(1, 42) as id');
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

it('counts rows exactly and tells a missing table from an empty one', async () => {
  await database.query('create table nothing ()');
  const tables = ['Mixed Case', 'nothing', 'absent'].map((name) => ({ schema: 'public', name }));
  expect(await countRows(database, [...tables, { schema: 'absent', name: 'absent' }], 5_000)).toEqual([
    { kind: 'counted', table: 'public.Mixed Case', rows: 42 },
    { kind: 'counted', table: 'public.nothing', rows: 0 },
    { kind: 'missing', table: 'public.absent' },
    { kind: 'missing', table: 'absent.absent' },
  ]);
});

it('gives up a count that takes too long', async () => {
  const other = await openDatabase(fresh.url);
  await other.query('begin');
  await other.query('lock table "Mixed Case" in access exclusive mode');
  const table = [{ schema: 'public', name: 'Mixed Case' }];
  expect(await countRows(database, table, 100)).toMatchObject([{ kind: 'failed', code: '57014' }]);
  await other.close();
  // The shorter timeout ended with its transaction.
  expect((await database.query('show statement_timeout')).rows).toEqual([{ statement_timeout: '20s' }]);
});

it('reads the size of the database in bytes', async () => {
  expect(await readDatabaseSize(database)).toBeGreaterThan(1_000_000);
});
