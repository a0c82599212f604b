import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { postgresCall } from '../../src/checks/postgres-call.js';
import { postgresObjects } from '../../src/checks/postgres-objects.js';
import { Runbook } from '../../src/runbook/definition.js';
import { wrongShapedLocksSql } from '../../workspace/backend/layout.js';
import { after, before, contextOf, createWorld, run, runbook, sql, type World } from './world.js';

let world: World;
let book: Runbook;

beforeAll(async () => {
  world = await createWorld();
  book = Runbook.parse(parse(await readFile('runbooks/022_m10_production_hardening.yml', 'utf8')));
});
afterAll(() => world.drop());

/** The arguments that the runbook itself gives a step. */
function argsOf(step: string): Record<string, unknown> {
  const blocks = [...book.phases, book.rollback];
  const found = blocks.flatMap((b) => b.steps).find((s) => s.id === step);
  if (found === undefined) throw new Error(`no step ${step}`);
  return found.with;
}

async function targetAt(revision: string, variant?: 'publish-outbox-fails' | 'wrong-shaped-table') {
  return world.target({ databaseUrl: (await world.databaseAt(revision, variant)).url });
}

describe('postgres.objects with the shape of the runbook', () => {
  const objects = postgresObjects();
  const shape = () => argsOf('production.objects');

  test('022 has four tables and nine functions of the declared shape', async () => {
    const outcome = await run(objects, shape(), contextOf(await targetAt(after)));
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('4 tables and 9 functions of m10_recovery');
  });

  test('its keys in the order in which a journal gives them back mean the same', async () => {
    const turned = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(turned)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, item]) => [key, turned(item)]),
            )
          : value;
    const args = z.record(z.string(), z.unknown()).parse(turned(shape()));
    const outcome = await run(objects, args, contextOf(await targetAt(after)));
    expect(outcome).toMatchObject({ result: 'passed' });
  });

  test('at 021 every missing object is listed at once', async () => {
    const outcome = await run(objects, shape(), contextOf(await targetAt(before)));
    expect(outcome.result).toBe('failed');
    expect(outcome.output?.split('\n')).toHaveLength(13);
    expect(outcome.output).toContain('table m10_recovery.replay_log does not exist');
    expect(outcome.output).toContain('function m10_recovery.cleanup_expired_locks() does not exist');
  });

  test('a distributed_locks without primary key, which CREATE TABLE IF NOT EXISTS keeps, is found', async () => {
    const target = await targetAt(after, 'wrong-shaped-table');
    const outcome = await run(objects, shape(), contextOf(target));
    expect(outcome.result).toBe('failed');
    const lines = outcome.output?.split('\n') ?? [];
    expect(lines).toContain('table m10_recovery.distributed_locks has no primary key, expected (lock_name)');
    expect(lines).toContain('table m10_recovery.distributed_locks has no column metadata');
    expect(lines).toContain(
      'table m10_recovery.distributed_locks: column expires_at may be null, expected not null',
    );
  });

  test('wrong types, keys, conditions, invalid indexes and signatures are each told', async () => {
    const target = await targetAt(after);
    for (const statement of [
      'alter table m10_recovery.replay_log alter column idempotency_key type text',
      'alter table m10_recovery.replay_log drop constraint uq_replay_log_original',
      'drop index m10_recovery.uq_outbox_pending',
      'create unique index uq_outbox_all on m10_recovery.outbox (aggregate_type, aggregate_id, event_type)',
      'alter table m10_recovery.outbox drop constraint outbox_pkey',
      'alter table m10_recovery.outbox add primary key (id, created_at)',
      `update pg_index set indisvalid = false where indexrelid = 'm10_recovery.idx_distributed_locks_expires'::regclass`,
      'drop function m10_recovery.release_lock(text, text)',
      `create function m10_recovery.release_lock(text) returns boolean language sql as 'select true'`,
      'drop function m10_recovery.record_replay',
      `create function m10_recovery.record_replay(text, text, bigint, uuid, text, text) returns boolean
         language sql as 'select true'`,
      'drop function m10_recovery.extend_lock',
      `create function m10_recovery.extend_lock(text, text, integer) returns text language sql as $$ select '' $$`,
    ]) {
      await sql(target.databaseUrl, statement);
    }
    const outcome = await run(objects, shape(), contextOf(target));
    expect(outcome.summary).toMatch(/differs from the declared shape: .*, and 7 more$/);
    expect(outcome.output).toMatchInlineSnapshot(`
      "table m10_recovery.distributed_locks: the index idx_distributed_locks_expires is invalid, as a failed CREATE INDEX CONCURRENTLY leaves it
      table m10_recovery.replay_log: column idempotency_key is text, expected uuid
      table m10_recovery.replay_log has no unique key (original_msg_id)
      table m10_recovery.outbox: the primary key is (id, created_at), expected (id)
      table m10_recovery.outbox has no unique key (aggregate_type, aggregate_id, event_type) where processed_at IS NULL; uq_outbox_all has no condition
      function m10_recovery.release_lock(text | varchar, text | varchar) does not exist; there is one with arguments (text)
      function m10_recovery.extend_lock(text | varchar, text | varchar, integer) returns text, expected boolean
      function m10_recovery.record_replay(text | varchar, text | varchar, bigint | integer, uuid, text | varchar, text | varchar) returns boolean, expected TABLE(already_replayed boolean, replay_id bigint | integer)"
    `);
  });

  test('a view of the same name is no table', async () => {
    const target = await targetAt(before);
    await sql(target.databaseUrl, 'create view m10_recovery.outbox as select 1 as id');
    const outcome = await run(objects, shape(), contextOf(target));
    expect(outcome.output).toContain('m10_recovery.outbox is a view, expected a table');
  });

  test('absent: nothing is left at 021, everything is listed at 022', async () => {
    const absent = argsOf('rollback.production-absent');
    expect(await run(objects, absent, contextOf(await targetAt(before)))).toMatchObject({
      result: 'passed',
    });
    const outcome = await run(objects, absent, contextOf(await targetAt(after)));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('13 objects of m10_recovery still on production');
    expect(outcome.output).toContain('function m10_recovery.acquire_lock(text, text, integer)');
  });

  test('one table left behind by hand is a leftover', async () => {
    const target = await targetAt(before);
    await sql(target.databaseUrl, await wrongShapedLocksSql());
    const outcome = await run(objects, argsOf('rollback.production-absent'), contextOf(target));
    expect(outcome.summary).toContain(
      '1 object of m10_recovery still on production: table m10_recovery.distributed_locks',
    );
  });

  test('mistakes in the arguments name their place', () => {
    expect(objects.bind({ schema: 's', tables: { t: { columns: { a: 7, b: '!' } } } })).toMatchObject({
      ok: false,
      issues: [{ path: ['tables', 't', 'columns', 'a'] }, { path: ['tables', 't', 'columns', 'b'] }],
    });
    expect(objects.bind({ schema: 's' })).toMatchObject({
      ok: false,
      issues: [{ message: 'expected at least one table or function' }],
    });
  });
});

describe('postgres.call with the calls of the runbook', () => {
  const call = postgresCall();
  const rows = async (url: string) =>
    sql(
      url,
      `select (select count(*)::int from m10_recovery.distributed_locks) as locks,
              (select count(*)::int from m10_recovery.replay_log) as replays,
              (select count(*)::int from m10_recovery.dead_letter_archive) as archived,
              (select count(*)::int from m10_recovery.outbox) as events`,
    );
  const empty = [{ locks: 0, replays: 0, archived: 0, events: 0 }];

  test.each(['production.locks', 'production.replay', 'production.outbox'])(
    '%s passes at 022 and leaves no row',
    async (step) => {
      const target = await targetAt(after);
      const outcome = await run(call, argsOf(step), contextOf(target));
      expect(outcome).toMatchObject({ result: 'passed' });
      expect(await rows(target.databaseUrl)).toEqual(empty);
    },
  );

  test('a publish_outbox that exists and fails at every call is found', async () => {
    const target = await targetAt(after, 'publish-outbox-fails');
    const shape = await run(postgresObjects(), argsOf('production.objects'), contextOf(target));
    expect(shape.result).toBe('passed');
    const outcome = await run(call, argsOf('production.outbox'), contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('publish failed when called');
    expect(outcome.summary).toContain('no event could ever be published');
  });

  test('acquire_lock on a table without its key is found', async () => {
    const target = await targetAt(after, 'wrong-shaped-table');
    const outcome = await run(call, argsOf('production.locks'), contextOf(target));
    expect(outcome.summary).toContain('acquire failed when called');
  });

  test('two holders with one lock are found, and nothing is left of the failure', async () => {
    const target = await targetAt(after);
    await sql(
      target.databaseUrl,
      `create or replace function m10_recovery.acquire_lock(p_lock_name text, p_holder_id text,
         p_ttl_seconds integer default 600) returns boolean language plpgsql as $$
       begin
         insert into m10_recovery.distributed_locks (lock_name, holder_id, expires_at)
         values (p_lock_name, p_holder_id, now() + make_interval(secs => p_ttl_seconds))
         on conflict (lock_name) do nothing;
         return true;
       end $$`,
    );
    const outcome = await run(call, argsOf('production.locks'), contextOf(target));
    expect(outcome.summary).toContain('refused returned acquired = true, expected false');
    expect(outcome.summary).toContain('two leaders would work at once');
    expect(await rows(target.databaseUrl)).toEqual(empty);
  });

  test('a replay that is written twice is found', async () => {
    const target = await targetAt(after);
    await sql(
      target.databaseUrl,
      `drop function m10_recovery.record_replay;
       create function m10_recovery.record_replay(p_original_msg_id text, p_dl_msg_id text,
         p_candidate_id integer, p_idempotency_key uuid, p_new_msg_id text, p_replayed_by text)
       returns table (already_replayed boolean, replay_id bigint) language sql as
       $$ select false, nextval('m10_recovery.replay_log_id_seq') $$`,
    );
    const outcome = await run(call, argsOf('production.replay'), contextOf(target));
    expect(outcome.summary).toContain('again returned already_replayed = false, expected true');
  });

  test('a role without DELETE on the tables cannot release a lock, which shows', async () => {
    const target = await targetAt(after);
    const role = `jobs_${process.pid}`;
    await sql(target.databaseUrl, `create role ${role} login password 'x'`);
    try {
      await sql(target.databaseUrl, `grant usage on schema m10_recovery to ${role}`);
      await sql(
        target.databaseUrl,
        `grant select, insert, update on all tables in schema m10_recovery to ${role}`,
      );
      const url = new URL(target.databaseUrl);
      url.username = role;
      url.password = 'x';
      const outcome = await run(
        call,
        argsOf('production.locks'),
        contextOf({ ...target, databaseUrl: url.href }),
      );
      expect(outcome.result).toBe('failed');
      expect(outcome.summary).toContain('permission denied for table distributed_locks');
    } finally {
      await sql(target.databaseUrl, `drop owned by ${role}`);
      await sql(target.databaseUrl, `drop role ${role}`);
    }
  });

  test('a held lock ends the wait: the answer is a failure, not a hang', async () => {
    const target = await targetAt(after);
    const args = {
      calls: [{ id: 'sleep', sql: 'SELECT pg_sleep(60)', expect: {} }],
      'statement-timeout': '200ms',
    };
    const outcome = await run(call, args, contextOf(target));
    expect(outcome.summary).toContain(
      'sleep failed when called (canceling statement due to statement timeout',
    );
  });

  test('without an approval it only reads, whatever a function does', async () => {
    const target = await targetAt(after);
    const [phase] = runbook.phases;
    const [step] = phase?.steps ?? [];
    if (phase === undefined || step === undefined) throw new Error('the runbook has no step');
    const ungated = { ...runbook, phases: [{ ...phase, gate: 'none' as const }] };
    const context = { ...contextOf(target), runbook: ungated, step };
    const writing = { calls: [{ id: 'one', sql: "SELECT m10_recovery.acquire_lock('a', 'b', 60) AS got" }] };
    const outcome = await run(call, writing, context);
    expect(outcome).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('in a read-only transaction'),
    });
    const reading = { calls: [{ id: 'one', sql: 'SELECT 1 AS n', expect: { n: 1 } }] };
    expect(await run(call, reading, context)).toMatchObject({ result: 'passed' });
    const bound = call.bind(reading);
    expect(bound.ok && bound.step.describe(context).commands[0]).toBe('BEGIN READ ONLY;');
    expect(await run(call, writing, contextOf(target))).toMatchObject({ result: 'passed' });
  });

  test('a call that commits is refused when the runbook is read', async () => {
    const args = { calls: [{ id: 'commit', sql: 'COMMIT -- by mistake' }] };
    expect(call.bind(args)).toMatchObject({ ok: false, issues: [{ path: ['calls', 0, 'sql'] }] });
  });

  test('no row, and a value that is not the one of an earlier call, are failures', async () => {
    const context = contextOf(await targetAt(after));
    const none = { calls: [{ id: 'one', sql: 'SELECT 1 AS n WHERE false', expect: { n: 1 } }] };
    expect((await run(call, none, context)).summary).toContain('one returned 0 rows, expected 1');
    const other = {
      calls: [
        { id: 'one', sql: 'SELECT 1 AS n' },
        {
          id: 'two',
          sql: 'SELECT $1::int + 1 AS n',
          values: [{ of: 'one.n' }],
          expect: { n: { 'same-as': 'one.n' } },
        },
      ],
    };
    expect((await run(call, other, context)).summary).toContain(
      'two returned n = 2, expected the same as one.n (1)',
    );
  });

  test('a reference to a later call is a mistake of the runbook', () => {
    const calls = [
      { id: 'one', sql: 'SELECT 1 AS n', expect: { n: { 'same-as': 'two.n' } } },
      { id: 'two', sql: 'SELECT 1 AS n' },
    ];
    expect(call.bind({ calls })).toMatchObject({
      ok: false,
      issues: [{ path: ['calls', 0], message: 'expected a column of an earlier call, found "two.n"' }],
    });
  });

  test('a value that JavaScript would round is refused when the runbook is read', () => {
    const bound = (value: unknown) =>
      call.bind({ calls: [{ id: 'one', sql: 'select $1::bigint as n', values: [value], expect: { n: 1 } }] });
    expect(bound('9007199254740993')).toMatchObject({ ok: true });
    expect(bound(9007199254740992)).toMatchObject({
      ok: false,
      issues: [{ message: expect.stringContaining('needs quotes'), path: ['calls', 0, 'values', 0] }],
    });
  });
});
