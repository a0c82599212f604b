import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { readOwnObjects } from '../../../src/clients/postgres/own-objects.js';
import type { Database } from '../../../src/clients/postgres.js';
import { builtInFunctions, builtInName } from '../../../src/clients/sql/built-in.js';
import { parseScript } from '../../../src/clients/sql/parse-script.js';
import { beyondReading, isQuery, namesOf, touchedBy } from '../../../src/clients/sql/reading.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await freshDatabase('reading');
  database = await openDatabase(fresh.url);
  for (const sql of setup.split(';\n')) await database.rows(z.unknown(), sql);
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

/** Everything here that a SELECT can reach deletes orders. */
const setup = `
create table orders (id int, "to" text, note text);
create table guarded (id int);
create schema app;
create table app.archive (id int);
create function wipe() returns int language sql as 'delete from public.orders returning 1';
create function generate_report(int) returns int language sql as 'select public.wipe()';
create function has_orders_privilege() returns boolean language sql as 'select public.wipe() = 1';
create function pg_get_orders() returns int language sql as 'select public.wipe()';
create function "pg_catalog.now"() returns int language sql as 'select public.wipe()';
create function lower(int) returns int language sql as 'select public.wipe()';
create function purge(orders) returns int language sql as 'select public.wipe()';
create function less(int, text) returns boolean language sql as 'select public.wipe() = 1';
create operator <~ (leftarg = int, rightarg = text, function = less);
create domain positive as int check (wipe() = 1);
create table name (id int);
create type mood as enum ('good', 'bad');
create view stale as select wipe();
create view app.orders as select wipe() as id;
create materialized view totals as select 1 as n;
alter table guarded enable row level security;
alter table guarded force row level security;
create extension postgres_fdw;
create server there foreign data wrapper postgres_fdw;
create table parts (id int) partition by list (id);
create foreign table parts_there partition of parts for values in (1) server there`.trim();

async function reasons(sql: string, asked = true): Promise<(string | null)[]> {
  const { statements } = await parseScript(sql);
  const queries = statements.filter(isQuery);
  const own = asked ? await readOwnObjects(database, namesOf(queries)) : null;
  return queries.map((query) => beyondReading(query, own, touchedBy(statements)));
}

it.each([
  'select * from app.archive',
  'select count(*), max(id) from app.archive where note ilike $1 and id between 1 and 3',
  'select pg_catalog.count(*) from totals',
  "select n.nspname, c.relname from pg_catalog.pg_class c join pg_namespace n on n.oid = c.relnamespace where pg_catalog.pg_table_is_visible(c.oid) and c.relname = 'x'",
  'select column_name from information_schema.columns order by ordinal_position',
  "select 'good'::mood, now(), current_date, coalesce(null, 1), extract(year from now())",
  'with recent as (select id from app.archive) select * from recent',
  "select 'x'::name, 'y'::text",
  'explain select * from app.archive',
  'copy app.archive to stdout',
  'select 1',
  "select 'app.archive'::regclass",
])('only reads: %s', async (sql) => {
  expect(await reasons(sql)).toEqual([null]);
});

it.each([
  ['select wipe()', /calls wipe/],
  ['select generate_report(1)', /calls generate_report/],
  ['select has_orders_privilege()', /calls has_orders_privilege/],
  ['select pg_get_orders()', /calls pg_get_orders/],
  ['select public.count(1)', /calls public.count/],
  ['select "pg_catalog.now"()', /calls "pg_catalog.now"/],
  ['select "Lower"($1)', /calls "Lower"/],
  ['select pg_catalog.wipe()', /calls pg_catalog.wipe/],
  ['select lower(1)', /has its own lower/],
  ['select o.purge from public.orders o', /own function purge/],
  ['select (o).purge from public.orders o', /own function purge/],
  ["select 1 <~ 'x'", /own operator <~/],
  ["select 1 operator(public.<~) 'x'", /own operator/],
  ['select 1::positive', /own type positive/],
  ['select * from stale', /reads stale, a view/],
  // Which one it is depends on the search path.
  ['select * from orders', /reads orders, a view/],
  ['select * from app.orders', /reads app.orders, a view/],
  ['select * from parts', /with a foreign table below it/],
  ['select * from parts_there', /a foreign table/],
  ['select * from unknown_table', /is not there any more/],
  ['select * from app.archive where exists (select from stale)', /reads stale/],
  // The name in WITH is not the one in FROM.
  ['select * from stale where exists (with stale as (select 1) select * from stale)', /reads stale/],
  ['explain (analyze) select wipe()', /calls wipe/],
  ['copy (select wipe()) to stdout', /calls wipe/],
  ['select wipe() from app.archive for update', /calls wipe/],
  ["select set_config('a.b', 'c', true), wipe()", /calls wipe/],
  ['declare c cursor for select * from stale', /reads stale/],
])('may do more than read: %s', async (sql, why) => {
  expect(await reasons(sql)).toEqual([expect.stringMatching(why)]);
});

it('does not trust a table whose rows are chosen by policies', async () => {
  expect(await reasons('select * from guarded')).toEqual([null]);
  await database.rows(z.unknown(), 'set role pg_read_all_data');
  try {
    expect(await reasons('select * from guarded')).toEqual([expect.stringMatching(/under row security/)]);
  } finally {
    await database.rows(z.unknown(), 'reset role');
  }
});

it('knows what the same script makes and drops', async () => {
  expect(
    await reasons(
      'create temp table t (id int); select * from t; drop table app.gone; select * from app.gone',
    ),
  ).toEqual([null, null]);
  const [reason] = await reasons('select * from archive; drop view archive; create table archive (id int)');
  expect(reason).toMatch(/made or dropped by the migration/);
});

it('believes the text alone of catalogs and of what is built in, when the database cannot be asked', async () => {
  const sql =
    "select count(*) from pg_catalog.pg_class; select version(), 'x'::text; select * from orders; select 'good'::mood";
  expect(await reasons(sql, false)).toEqual([
    null,
    null,
    expect.stringMatching(/could not be looked up/),
    expect.stringMatching(/own type mood/),
  ]);
});

it('lists as built in only what the server has, and none of what is known to change something', async () => {
  const rows = await database.rows(
    z.object({ name: z.string() }),
    "select distinct proname::text as name from pg_proc where pronamespace = 'pg_catalog'::regnamespace",
  );
  const there = new Set(rows.map(({ name }) => name));
  // Newer and older servers lack some.
  expect(builtInFunctions.filter((name) => !there.has(name))).toEqual([]);
  for (const name of ['nextval', 'setval', 'lo_unlink', 'query_to_xml', 'pg_terminate_backend', 'dblink'])
    expect(builtInName(name)).toBeNull();
});
