import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresAssert } from '../../src/checks/postgres-assert.js';
import { sqlParser } from '../../src/clients/sql/parser.js';
import type { TargetConfig } from '../../src/config.js';
import { bind, contextOf, createWorld, run, sql, type World } from './world.js';

let world: World;
let target: TargetConfig;
beforeAll(async () => {
  await sqlParser();
  world = await createWorld();
  target = world.target({ databaseUrl: (await world.databaseAt(null)).url });
  await sql(target.databaseUrl, 'create table orders (id bigint, total numeric)');
  await sql(
    target.databaseUrl,
    'insert into orders values (9007199254740993, 0.10), (2, 1234567890.123456789)',
  );
  await sql(
    target.databaseUrl,
    `create function sneaky() returns int language sql volatile as 'delete from orders returning 1'`,
  );
});
afterAll(() => world.drop());

const query = (text: string, expectation: object) => ({ sql: text, expect: expectation });

describe('what must be true of the data', () => {
  it('passes with the very digits, and fails by one', async () => {
    const text = 'select max(id) as id, max(total) as total, count(*) as n from orders';
    const right = query(text, { id: '9007199254740993', total: '1234567890.123456789', n: 2 });
    expect(await run(postgresAssert(), right, contextOf(target))).toMatchObject({ result: 'passed' });
    const wrong = query(text, { id: '9007199254740992' });
    const outcome = await run(postgresAssert(), wrong, contextOf(target));
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('9007199254740993');
  });

  it('wants one row', async () => {
    const outcome = await run(postgresAssert(), query('select id from orders', { id: 2 }), contextOf(target));
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('2 rows');
  });

  it('cannot change anything, whatever its functions do', async () => {
    const outcome = await run(postgresAssert(), query('select sneaky() as n', { n: 1 }), contextOf(target));
    expect(outcome.result).not.toBe('passed');
    expect(await sql(target.databaseUrl, 'select count(*)::int as n from orders')).toEqual([{ n: 2 }]);
  });

  it('stands in the way of a request that it contradicts, and is part of one that it does not', async () => {
    const step = (text: string, n: number) => bind(postgresAssert(), query(text, { n }));
    const text = 'select count(*) as n from orders';
    expect(await step(text, 2).survey?.(contextOf(target))).toMatchObject({
      kind: 'surveyed',
      parts: { assertion: expect.stringContaining('n') },
    });
    expect(await step(text, 3).survey?.(contextOf(target))).toMatchObject({ kind: 'failed' });
  });
});
