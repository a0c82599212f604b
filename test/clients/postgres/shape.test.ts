import { afterAll, beforeAll, expect, it } from 'vitest';
import { readShape, type SchemaShape } from '../../../src/clients/postgres/shape.js';
import type { Database } from '../../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
let shape: SchemaShape;

const statements = [
  'create schema s',
  'create table s.parent (a int, b text, primary key (b, a))',
  `create table s.child (
     id bigint generated always as identity primary key,
     code varchar(32) not null default 'x' constraint code_once unique,
     parent_a int, parent_b text, done timestamptz, dropped int, payload jsonb not null,
     constraint to_parent foreign key (parent_b, parent_a) references s.parent (b, a),
     constraint sane check (parent_a > 0))`,
  'alter table s.child drop column dropped',
  'create unique index child_pending on s.child (parent_a, lower(parent_b)) include (done) where done is null',
  'create index child_payload on s.child using gin (payload)',
  `create function s.f(p_name text, p_ttl int default 600) returns table (ok boolean, n bigint)
     language sql as 'select true, 1::bigint'`,
  "create function s.plain() returns bool language sql as 'select true'",
  `create function s.t() returns trigger language plpgsql as 'begin return new; end'`,
  'create trigger on_child before insert on s.child for each row execute function s.t()',
  "create procedure s.p(inout x int) language sql as 'select 1'",
  'create view s.v as select id from s.child',
  'create materialized view s.mv as select id from s.child with no data',
  "create type s.mood as enum ('fine')",
];

beforeAll(async () => {
  fresh = await freshDatabase('clients shape');
  database = await openDatabase(fresh.url);
  for (const statement of statements) await database.query(statement);
  shape = await readShape(database, 's');
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

it('reads columns with type, nullability and default, without dropped ones', () => {
  expect(shape.tables.map((table) => table.name)).toEqual(['child', 'parent']);
  expect(shape.tables[0]?.columns).toEqual([
    { name: 'id', type: 'bigint', notNull: true, default: 'identity' },
    { name: 'code', type: 'character varying(32)', notNull: true, default: "'x'::character varying" },
    { name: 'parent_a', type: 'integer', notNull: false, default: null },
    { name: 'parent_b', type: 'text', notNull: false, default: null },
    { name: 'done', type: 'timestamp with time zone', notNull: false, default: null },
    { name: 'payload', type: 'jsonb', notNull: true, default: null },
  ]);
});

it('reads keys in their own order, and tells a unique index from a unique constraint', () => {
  const [child, parent] = shape.tables;
  expect(parent?.primaryKey).toEqual(['b', 'a']);
  expect(child?.primaryKey).toEqual(['id']);
  expect(child?.indexes).toMatchObject([
    { name: 'child_payload', method: 'gin', unique: false, columns: ['payload'], constraint: null },
    {
      name: 'child_pending',
      unique: true,
      primary: false,
      columns: ['parent_a', 'lower(parent_b)'],
      predicate: 'done IS NULL',
      constraint: null,
      valid: true,
    },
    { name: 'child_pkey', primary: true, constraint: 'child_pkey' },
    { name: 'code_once', unique: true, columns: ['code'], constraint: 'code_once', predicate: null },
  ]);
  expect(child?.foreignKeys).toMatchObject([
    {
      name: 'to_parent',
      columns: ['parent_b', 'parent_a'],
      references: 's.parent',
      referencedColumns: ['b', 'a'],
    },
  ]);
  expect(child?.checks).toEqual([{ name: 'sane', definition: 'CHECK (parent_a > 0)' }]);
  expect(child?.triggers).toMatchObject([{ name: 'on_child', enabled: true }]);
});

it('reads functions, views and the rest', () => {
  expect(shape.functions).toEqual([
    {
      name: 'f',
      argumentNames: ['p_name', 'p_ttl'],
      argumentTypes: ['text', 'integer'],
      defaults: 1,
      result: 'TABLE(ok boolean, n bigint)',
      kind: 'function',
    },
    {
      name: 'p',
      argumentNames: ['x'],
      argumentTypes: ['integer'],
      defaults: 0,
      result: null,
      kind: 'procedure',
    },
    { name: 'plain', argumentNames: [], argumentTypes: [], defaults: 0, result: 'boolean', kind: 'function' },
    { name: 't', argumentNames: [], argumentTypes: [], defaults: 0, result: 'trigger', kind: 'function' },
  ]);
  expect(shape.views).toMatchObject([{ name: 'v', columns: [{ name: 'id', type: 'bigint' }] }]);
  expect(shape.materializedViews).toMatchObject([{ name: 'mv', populated: false }]);
  expect(shape.sequences).toEqual(['child_id_seq']);
  expect(shape.types).toEqual(['mood']);
});

it('says that a schema is missing', async () => {
  expect(await readShape(database, 'absent')).toMatchObject({ exists: false, tables: [] });
});
