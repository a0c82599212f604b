import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { postgresObjects } from '../../src/checks/postgres-objects.js';
import { printShape, type WantedShape } from '../../src/cli/runbook-shape.js';
import { revisions } from '../../workspace/backend/variants.js';
import { contextOf, createWorld, run, sql, type World } from '../checks/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

/** What is printed, and the exit code. */
async function printed(databaseUrl: string, wanted: WantedShape) {
  const lines: string[] = [];
  const errors: string[] = [];
  const output = {
    line: (text: string) => void lines.push(text),
    error: (text: string) => void errors.push(text),
    stream: async () => true,
    written: async () => undefined,
  };
  const code = await printShape({ targets: { staging: world.target({ databaseUrl }) } }, wanted, output);
  return { code, text: lines.join('\n'), errors: errors.join('\n') };
}

test('what is printed is what postgres.objects finds there, and nothing else is', async () => {
  const { url } = await world.databaseAt(revisions.hardening);
  const { code, text } = await printed(url, { target: 'staging', schema: 'm10_recovery' });
  expect(code).toBe(0);
  const args = parse(text);
  expect(Object.keys(z.object({ tables: z.record(z.string(), z.unknown()) }).parse(args).tables)).toContain(
    'outbox',
  );
  const target = world.target({ databaseUrl: url });
  expect(await run(postgresObjects(), args, contextOf(target))).toMatchObject({ result: 'passed' });
  await sql(url, 'alter table m10_recovery.outbox alter column payload type text');
  expect(await run(postgresObjects(), args, contextOf(target))).toMatchObject({ result: 'failed' });
});

test('odd names and types, partial and failed indexes, overloads and what has no words', async () => {
  const { url } = await world.databaseAt(revisions.before);
  await sql(
    url,
    `create schema "Odd";
     create table "Odd"."we""ird" ("a b" numeric(10,2) not null, c timestamptz[], primary key ("a b"));
     create unique index on "Odd"."we""ird" (c) where "a b" > 0;
     create index on "Odd"."we""ird" (c, "a b");
     create function "Odd".one(a integer) returns table (total numeric(10,2), z text) language sql as 'select 1.0, null::text';
     create function "Odd".two(a integer) returns integer language sql as 'select 1';
     create function "Odd".two(a text) returns integer language sql as 'select 1';
     create procedure "Odd".three() language sql as 'select 1';
     create view "Odd".seen as select 1 as one`,
  );
  const { code, text } = await printed(url, { target: 'staging', schema: 'Odd' });
  expect(code).toBe(0);
  expect(text).toContain('# Left out: function two, of which there are several');
  expect(text).toContain('# Left out: procedure three');
  expect(text).toContain('# Left out: view seen');
  expect(parse(text)).toMatchObject({
    functions: { one: { returns: { total: 'numeric', z: 'text' } } },
    tables: { 'we"ird': { 'primary-key': ['a b'], unique: [{ columns: ['c'] }], indexes: [['c', 'a b']] } },
  });
  const outcome = await run(postgresObjects(), parse(text), contextOf(world.target({ databaseUrl: url })));
  expect(outcome.summary).toMatch(/have the declared shape/);
});

describe('a mistake', () => {
  test.each([
    [{ target: undefined, schema: 'public' }, 2, /--target with one of staging, found nothing/],
    [{ target: 'stagin', schema: 'public' }, 2, /found "stagin"\. Did you mean "staging"\?/],
    [{ target: 'staging', schema: undefined }, 2, /--schema with the name of a schema/],
    [{ target: 'staging', schema: 'nowhere' }, 1, /has no schema nowhere/],
  ])('%j', async (wanted, expected, words) => {
    const { url } = await world.databaseAt(revisions.before);
    const { code, errors } = await printed(url, wanted);
    expect(code).toBe(expected);
    expect(errors).toMatch(words);
  });

  test('a database that is away', async () => {
    const { code, errors } = await printed('postgresql://u:p@127.0.0.1:9/none', {
      target: 'staging',
      schema: 'public',
    });
    expect(code).toBe(1);
    expect(errors).toMatch(/cannot be reached/);
  });
});
