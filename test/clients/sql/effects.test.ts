import { describe, expect, it } from 'vitest';
import { changesVersionRow, touchesOnly } from '../../../src/clients/sql/bookkeeping.js';
import { parseScript } from '../../../src/clients/sql/parse-script.js';

async function only(sql: string) {
  const [statement, ...more] = (await parseScript(sql)).statements;
  if (statement === undefined || more.length > 0) throw new Error(`not one statement: ${sql}`);
  return statement;
}

describe('the effect of a statement', () => {
  it.each([
    ['reads', 'select count(*) from a.t join u using (id)'],
    ['reads', 'values (1)'],
    ['reads', 'table t'],
    ['reads', 'show work_mem'],
    ['reads', 'explain delete from t'],
    ['reads', 'explain (analyze off) delete from t'],
    ['reads', 'copy t to stdout'],
    ['throws-rows-away', 'delete from only b.t using u where t.id = u.id'],
    ['throws-rows-away', 'truncate a, b'],
    ['throws-rows-away', 'drop table if exists a.t'],
    ['throws-rows-away', 'drop materialized view v'],
    ['throws-rows-away', 'drop schema s cascade'],
    ['throws-rows-away', 'drop database d'],
    ['throws-rows-away', 'drop owned by r'],
    ['throws-rows-away', 'drop type mood cascade'],
    ['throws-rows-away', 'alter table a.t add column d int, drop column c'],
    ['throws-rows-away', 'with d as (delete from t returning *) select * from d'],
    ['throws-rows-away', 'insert into u with d as (delete from t returning *) select * from d'],
    ['throws-rows-away', 'explain (verbose, analyze) delete from t'],
    ['throws-rows-away', 'copy (delete from t returning id) to stdout'],
    ['throws-rows-away', 'merge into t using s on t.a = s.a when matched then delete'],
    ['throws-rows-away', 'select 1 union all select lo_unlink(3)'],
    ['changes-rows', 'merge into t using s on t.a = s.a when not matched then insert values (1)'],
    ['changes-rows', 'insert into t values (1) on conflict do nothing'],
    ['changes-rows', 'with u as (update t set a = 1 returning *) select * from u'],
    ['changes-rows', 'explain analyze update t set a = 1'],
    ['changes-rows', "select pg_catalog.setval('s', 3)"],
    ['changes-rows', "select a from t where a > (select nextval('s'))"],
    ['changes-rows', 'copy t from stdin'],
    ['opaque', "copy t from program 'rm'"],
    ['opaque', "copy (select 1) to program 'mail'"],
    ['opaque', "copy t to '/tmp/x'"],
    ['opaque', 'do $$ begin delete from t; end $$'],
    ['opaque', 'call p(1)'],
    ['opaque', 'execute s(1)'],
    ['opaque', 'prepare s as delete from t'],
    ['opaque', 'create table t as execute s'],
    ['opaque', "select dblink_exec('x', 'delete from t')"],
    ['opaque', 'select pg_terminate_backend(pid) from pg_stat_activity'],
    ['opaque', 'notify c'],
    ['opaque', "load 'x'"],
    ['changes-schema', 'select 1 into t'],
    ['changes-schema', 'select 1 as a union select 2 into t'],
    ['changes-schema', 'create table t as select 1'],
    ['changes-schema', 'create view v as select 1'],
    ['changes-schema', 'drop view v'],
    ['changes-schema', 'alter table t rename to u'],
    ['changes-schema', 'grant select on t to r'],
    ['changes-schema', "comment on table t is 'x'"],
    ['changes-schema', 'create function f() returns void language sql begin atomic delete from t; end'],
    ['changes-schema', 'create rule r as on insert to t do also delete from u'],
    ['changes-schema', 'reindex table t'],
    ['locks', 'lock table t'],
    ['locks', 'select * from t for update'],
    ['locks', 'with x as (select * from t for share) select * from x'],
    ['locks', 'select * from (select * from t for key share) s'],
    ['locks', 'select pg_advisory_xact_lock(1)'],
    ['session', 'set local work_mem = 1'],
    ['session', 'set role r'],
    ['session', 'reset all'],
    ['session', 'discard all'],
    ['session', 'listen c'],
    ['session', "select set_config('role', 'r', false)"],
    ['session', 'declare c cursor for select 1'],
    ['transaction', 'begin'],
    ['transaction', 'end'],
    ['transaction', 'savepoint s'],
    ['transaction', "prepare transaction 'x'"],
    ['transaction', "commit prepared 'x'"],
    ['transaction', 'set transaction read write'],
    ['unparsed', 'delete t'],
  ])('%s: %s', async (effect, sql) => {
    expect((await only(sql)).effect).toBe(effect);
  });

  it('keeps every effect beside the most dangerous one', async () => {
    const sql = 'with d as (delete from a returning *) insert into b select * from d';
    expect((await only(sql)).effects).toEqual(['throws-rows-away', 'changes-rows']);
  });

  it('names functions, relations, and what comes and goes', async () => {
    const merge = await only(
      'with c as (select 1) insert into s.t select f(x), app.g(1) from c join "U" on true',
    );
    expect(merge.functions).toEqual(['f', 'app.g']);
    expect(merge.relations).toEqual([
      { schema: 's', name: 't', changed: true },
      { schema: null, name: 'U', changed: false },
    ]);
    expect(
      (await only('create or replace function a.f(x int) returns int language sql as $$ select 1 $$'))
        .created,
    ).toEqual([{ kind: 'function', name: 'a.f' }]);
    expect((await only('drop table a.b, c')).dropped).toEqual([
      { kind: 'table', name: 'a.b' },
      { kind: 'table', name: 'c' },
    ]);
    const alter = await only('alter table a.t add column c int, drop column d, drop constraint k');
    expect(alter.created).toEqual([{ kind: 'column', name: 'a.t.c' }]);
    expect(alter.dropped).toEqual([
      { kind: 'column', name: 'a.t.d' },
      { kind: 'constraint', name: 'a.t.k' },
    ]);
    expect((await only('create unlogged table s.x (id serial references y)')).created).toEqual([
      { kind: 'table', name: 's.x' },
    ]);
    expect((await only('create materialized view m as select 1')).created).toEqual([
      { kind: 'materialized view', name: 'm' },
    ]);
    expect((await only('drop function f(int)')).dropped).toEqual([{ kind: 'function', name: 'f' }]);
    expect((await only('create schema s create table t (a int)')).created).toEqual([
      { kind: 'schema', name: 's' },
      { kind: 'table', name: 't' },
    ]);
  });
});

describe('bookkeeping of a version table', () => {
  const version = { schema: 'ops', table: 'versions' };

  it.each([
    ["delete from ops.versions where versions.version_num = '1'", true],
    ["UPDATE ops.versions SET version_num='2' WHERE ops.versions.version_num = '1'", true],
    ["insert into ops.versions (version_num) values ('1') returning version_num", true],
    ['delete from versions', false],
    ['delete from public.versions', false],
    ['truncate ops.versions', false],
    ['drop table ops.versions', false],
    ['with x as (delete from t) delete from ops.versions', false],
    ['delete from ops.versions where version_num in (select v from t)', false],
    ['delete from ops.versions where wipe()', false],
    ['merge into ops.versions v using t on true when matched then delete', false],
  ])('%s: %s', async (sql, expected) => {
    expect(changesVersionRow(await only(sql), version)).toBe(expected);
  });

  it('knows a table of the default schema by its bare name alone', async () => {
    const statement = await only('create table alembic_version (version_num varchar(32) not null)');
    expect(touchesOnly(statement, { table: 'alembic_version' })).toBe(true);
    expect(touchesOnly(statement, { schema: 'public', table: 'alembic_version' })).toBe(false);
    expect(changesVersionRow(statement, { table: 'alembic_version' })).toBe(false);
  });
});
