import { expect, it } from 'vitest';
import { parseScript } from '../../../src/clients/sql/parse-script.js';

const lasting = async (sql: string) => (await parseScript(sql)).statements.map((each) => each.lasting);

it.each([
  ["select pg_catalog.setval('s', max(id)) from t", ['pg_catalog.setval']],
  ["insert into t values (nextval('s'))", ['nextval']],
  ["create table u as select * from dblink('x', 'delete from t returning 1') as d (i int)", ['dblink']],
  ["explain analyze select nextval('s')", ['nextval']],
  ["copy t from program 'fetch'", ['COPY FROM PROGRAM']],
  ["copy t to '/tmp/t'", ['COPY TO a file']],
  ["select lo_export(1, '/tmp/x'), pg_file_write('y', 'z', false)", ['lo_export', 'pg_file_write']],
  [
    "do $$ begin execute 'copy t to program ''mail'''; perform dblink_exec('x', 'y'); end $$",
    ['dblink_exec', 'COPY TO PROGRAM'],
  ],
])('finds what a rollback does not undo: %s', async (sql, found) => {
  expect(await lasting(sql)).toEqual([found]);
});

it.each([
  "create table t (id int default nextval('s'))",
  "alter table t alter column id set default nextval('s')",
  "create function f() returns void language sql as $$ select setval('s', 1) $$",
  "create view v as select nextval('s')",
  "explain select nextval('s')",
  'copy t from stdin',
  "copy t from '/tmp/t'",
  "select pg_notify('a', 'b'), pg_advisory_lock(1), set_config('a.b', 'c', true)",
  'do $$ begin insert into t values (1); end $$',
])('finds nothing in %s', async (sql) => {
  expect(await lasting(sql)).toEqual([[]]);
});
