import { describe, expect, it } from 'vitest';
import { parseScript } from '../../../src/clients/sql/parse-script.js';
import { transactionShape } from '../../../src/clients/sql/transactions.js';

const parsed = async (script: string) => (await parseScript(script)).statements;
const texts = async (script: string) => (await parsed(script)).map((statement) => statement.text);
const shapeOf = async (script: string) => transactionShape(await parsed(script));

describe('parseScript', () => {
  it('ends a statement at its own semicolon only', async () => {
    expect(await texts(`select ';' , "a;b", E'it\\';s', 'it''s;' ; select 2`)).toEqual([
      `select ';' , "a;b", E'it\\';s', 'it''s;'`,
      'select 2',
    ]);
    expect(await texts('-- one; two\nselect 1 /* a; /* b; */ c; */ + 1 /* end */ -- x\n;;')).toEqual([
      'select 1 /* a; /* b; */ c; */ + 1',
    ]);
    expect(await texts('')).toEqual([]);
    expect(await texts(' -- nothing\n;')).toEqual([]);
  });

  it.each(['', 'select 1 from;\n'])('keeps function bodies whole (in front: %j)', async (front) => {
    const dollar = 'create function f() returns int language sql as $fn$ select 1; $$;$$ $fn$';
    const atomic =
      'create or replace function g() returns int begin atomic select case when true then 1 end; select 2; end';
    const rule = 'create rule r as on insert to t do also (delete from a; delete from b)';
    const got = await texts(`${front}${dollar};\n${atomic};\n${rule}; select 3;`);
    expect(got.slice(front === '' ? 0 : 1)).toEqual([dollar, atomic, rule, 'select 3']);
    expect(await texts(`${front}begin; end; begin; commit;`)).toHaveLength(front === '' ? 4 : 5);
  });

  it('counts lines in scripts that are not ASCII, from the statement itself', async () => {
    const script =
      "-- größer 😀\nbegin;\n\ninsert into t values ('ü😀');\n-- é\ncreate table t (\n  id int\n);";
    expect(
      (await parsed(script)).map(({ text, startLine, endLine }) => ({ text, startLine, endLine })),
    ).toEqual([
      { text: 'begin', startLine: 2, endLine: 2 },
      { text: "insert into t values ('ü😀')", startLine: 4, endLine: 4 },
      { text: 'create table t (\n  id int\n)', startLine: 6, endLine: 8 },
    ]);
  });

  it.each([
    ["select 'ü'; selec 2; delete from t;", ['reads', 'unparsed', 'throws-rows-away'], 'selec 2'],
    ['\\set x 1\nselect 1;\ndelete from t;', ['unparsed', 'reads', 'throws-rows-away'], '\\set x 1'],
    ["\\echo it's\nselect 1; delete from t;", ['unparsed', 'reads', 'throws-rows-away'], "\\echo it's"],
    ["delete from t; select 'open; select 2", ['throws-rows-away', 'unparsed'], "select 'open; select 2"],
    ['truncate t; select $$open; more', ['throws-rows-away', 'unparsed'], 'select $$open; more'],
    ['select (1; drop table t;', ['unparsed', 'throws-rows-away'], 'select (1'],
    [
      "insert into :tbl values (';'); select 2 /* ; */;",
      ['unparsed', 'reads'],
      "insert into :tbl values (';')",
    ],
  ])('keeps what it cannot read apart: %j', async (script, effects, text) => {
    const statements = await parsed(script);
    expect(statements.map((one) => one.effect)).toEqual(effects);
    expect(statements.find((one) => one.effect === 'unparsed')).toMatchObject({
      text,
      problem: expect.any(String),
    });
  });

  it('trusts nothing behind a NUL or behind strings of another grammar', async () => {
    expect((await parsed('select 1\0; delete from t')).map((s) => s.effect)).toEqual(['unparsed']);
    const odd = await parsed("set standard_conforming_strings = off; select 'a\\'; select 1; --';");
    expect(odd.slice(1).every((s) => s.effect === 'unparsed')).toBe(true);
    const usual = await parsed('SET standard_conforming_strings = on; select 1');
    expect(usual.map((s) => s.effect)).toEqual(['session', 'reads']);
  });

  it('reads control characters in strings of a script that has to be split', async () => {
    expect((await parsed("selec 1; select 'a\u0001;b\t'; delete from t")).map((s) => s.effect)).toEqual([
      'unparsed',
      'reads',
      'throws-rows-away',
    ]);
  });
});

describe('normalForm', () => {
  const form = async (sql: string) => (await parsed(sql))[0]?.normalForm;

  it.each([
    ['select 1', 'SELECT  1 -- one\n;'],
    ['select (a) from t where (x = 1)', 'select a from "t" where x = 1'],
    ["insert into T (a) values ('x')", "INSERT INTO t(a) VALUES (E'x');;"],
    ['alter table t add column c varchar(3)', 'ALTER TABLE t ADD COLUMN c character varying(3)'],
    ['select a in (1, 2), array[1,2]', 'select a in (1,2),array[1 , 2]'],
  ])('is equal for %j and %j', async (a, b) => {
    expect(await form(a)).toBe(await form(b));
  });

  it.each([
    ['select 1', 'select 2'],
    ['select 9007199254740993', 'select 9007199254740992'],
    ["select 'a '", "select 'a'"],
    ['select "T"', 'select t'],
    ['select null', "select ''"],
    ['select 0', 'select false'],
    ['drop table t', 'drop table t cascade'],
    ['drop table t', 'drop table if exists t'],
    ['delete from t where a = 1', 'delete from t where b = 1'],
    ['delete from a.t', 'delete from b.t'],
    ["create tablespace x location '/a'", "create tablespace x location '/b'"],
    ['selec 1', 'selec 2'],
    ['alter table t alter c drop not null', 'alter table t alter c set not null'],
    ['lock table t in share mode', 'lock table t in exclusive mode'],
  ])('differs for %j and %j', async (a, b) => {
    expect(await form(a)).not.toBe(await form(b));
  });
});

describe('transactionShape', () => {
  it('sees one transaction as one', async () => {
    const shape = await shapeOf('begin; create table a (); create index i on a (b); commit;');
    expect(shape).toEqual({ transactions: 1, outside: [], concurrent: [] });
    expect(
      (await shapeOf("start transaction; savepoint a; rollback to a; prepare transaction 'x'")).outside,
    ).toEqual([]);
  });

  it('names what runs outside, and what runs concurrently', async () => {
    const shape = await shapeOf(
      'begin; select 1; commit; create index concurrently i on a (b); begin; select 2; commit;',
    );
    expect(shape.transactions).toBe(2);
    expect(shape.outside.map((statement) => statement.text)).toEqual([
      'create index concurrently i on a (b)',
    ]);
    expect(shape.concurrent).toHaveLength(1);
    expect((await shapeOf('create table a ()')).outside).toHaveLength(1);
  });

  it.each([
    'CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)',
    'drop index concurrently i',
    'reindex (verbose) table concurrently t',
    'reindex (concurrently) table t',
    'refresh materialized view concurrently v',
    'alter table p detach partition c concurrently',
  ])('knows %s', async (statement) => {
    expect((await shapeOf(statement)).concurrent).toHaveLength(1);
  });

  it('does not mistake a name or a string for it', async () => {
    const script =
      "insert into note values ('create index concurrently'); create index concurrently_made on t (a);";
    expect((await shapeOf(script)).concurrent).toEqual([]);
  });
});
