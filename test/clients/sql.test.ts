import { describe, expect, it } from 'vitest';
import { splitStatements, transactionShape } from '../../src/clients/sql.js';

const texts = (script: string) => splitStatements(script).map((statement) => statement.text);

describe('splitStatements', () => {
  it('ends a statement at its own semicolon only', () => {
    expect(texts(`select ';' , "a;b", E'it\\';s', 'it''s;' ; select 2`)).toEqual([
      `select ';' , "a;b", E'it\\';s', 'it''s;'`,
      'select 2',
    ]);
    expect(texts('-- one; two\nselect 1 /* a; /* b; */ c; */ + 1;\n;;')).toEqual([
      'select 1 /* a; /* b; */ c; */ + 1',
    ]);
    expect(texts('select $1; select a$b;')).toEqual(['select $1', 'select a$b']);
  });

  it('keeps function bodies whole', () => {
    const dollar = 'create function f() returns int language sql as $fn$ select 1; $$;$$ $fn$';
    const atomic =
      'create or replace function g() returns int begin atomic select case when true then 1 end; end';
    expect(texts(`${dollar};\n${atomic};\nselect 3;`)).toEqual([dollar, atomic, 'select 3']);
    // A transaction is no function body.
    expect(texts('begin; end; begin; commit;')).toHaveLength(4);
  });

  it('counts lines from the statement itself, not from the comment in front', () => {
    expect(splitStatements('begin;\n\n-- a comment\ncreate table t (\n  id int\n);')).toEqual([
      { text: 'begin', startLine: 1, endLine: 1 },
      { text: 'create table t (\n  id int\n)', startLine: 4, endLine: 6 },
    ]);
  });

  it('takes what is cut off as the last statement', () => {
    expect(texts("select 'open")).toEqual(["select 'open"]);
    expect(texts('select $$open; more')).toEqual(['select $$open; more']);
    expect(texts('  /* open ')).toEqual([]);
  });
});

describe('transactionShape', () => {
  it('sees one transaction as one', () => {
    const shape = transactionShape(
      splitStatements('begin; create table a (); create index i on a (b); commit;'),
    );
    expect(shape).toEqual({ transactions: 1, outside: [], concurrent: [] });
  });

  it('names what runs outside, and what runs concurrently', () => {
    const script = 'begin; select 1; commit; create index concurrently i on a (b); begin; select 2; commit;';
    const shape = transactionShape(splitStatements(script));
    expect(shape.transactions).toBe(2);
    expect(shape.outside.map((statement) => statement.text)).toEqual([
      'create index concurrently i on a (b)',
    ]);
    expect(shape.concurrent).toHaveLength(1);
    expect(transactionShape(splitStatements('create table a ()')).outside).toHaveLength(1);
  });

  it.each([
    'CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)',
    'drop index concurrently i',
    'reindex (verbose) table concurrently t',
    'refresh materialized view concurrently v',
    'alter table p detach partition c concurrently',
  ])('knows %s', (statement) => {
    expect(transactionShape(splitStatements(statement)).concurrent).toHaveLength(1);
  });

  it('does not mistake a name or a string for it', () => {
    const script =
      "insert into note values ('create index concurrently'); create index concurrently_made on t (a);";
    expect(transactionShape(splitStatements(script)).concurrent).toEqual([]);
  });
});
