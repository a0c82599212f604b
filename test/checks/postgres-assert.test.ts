import { beforeAll, describe, expect, it } from 'vitest';
import { postgresAssert } from '../../src/checks/postgres-assert.js';
import { postgresCall } from '../../src/checks/postgres-call.js';
import { sqlParser } from '../../src/clients/sql/parser.js';

beforeAll(async () => {
  await sqlParser();
});

describe('SQL of a runbook, judged when it is read', () => {
  it.each([
    'delete from t returning id',
    'with d as (delete from t returning id) select count(*) as n from d',
    'select * from t for update',
    "select nextval('s') as n",
    'select 1 as n; select 2 as n',
    'set role admin',
    'commit -- select',
    'do $$ begin end $$',
    'select 1 into u',
    'explain select 1 from t',
    'selec 1 as n from t',
    'select pg_terminate_backend(1) as n',
  ])('postgres.assert refuses %s', (sql) => {
    expect(postgresAssert().bind({ sql, expect: { n: 1 } }).ok).toBe(false);
  });

  it('postgres.assert takes a query, and no number that was rounded', () => {
    const sql = 'select count(*) as n from t';
    expect(postgresAssert().bind({ sql, expect: { n: 1 } }).ok).toBe(true);
    expect(postgresAssert().bind({ sql, expect: { n: 2 ** 53 } }).ok).toBe(false);
    expect(postgresAssert().bind({ sql, expect: { n: '9007199254740993' } }).ok).toBe(true);
  });

  it.each([
    '/* x */ commit and chain',
    "select set_config('a.b', 'c', false)",
    "prepare transaction 'x'",
    'rollback to savepoint a',
    'select f(1); commit',
    'set session authorization x',
  ])('postgres.call refuses %s', (sql) => {
    expect(postgresCall().bind({ calls: [{ id: 'a', sql }] }).ok).toBe(false);
  });

  it.each(['insert into t values (1) returning id', 'select begin_work(1)', "call p('commit')"])(
    'postgres.call takes %s',
    (sql) => {
      expect(postgresCall().bind({ calls: [{ id: 'a', sql }] }).ok).toBe(true);
    },
  );
});
