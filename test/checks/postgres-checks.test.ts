import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLossCounter } from '../../src/checks/loss.js';
import { postgresActivity } from '../../src/checks/postgres-activity.js';
import { postgresIdentity } from '../../src/checks/postgres-identity.js';
import { createTargetReader } from '../../src/checks/target-state.js';
import type { TargetConfig } from '../../src/config.js';
import type { FreshDatabase } from '../support/database.js';
import { after, before, contextOf, createWorld, run, sql, type World, withClient } from './world.js';

let world: World;
let at021: FreshDatabase;
let at022: FreshDatabase;
let production: TargetConfig;

beforeAll(async () => {
  world = await createWorld();
  at021 = await world.databaseAt(before);
  at022 = await world.databaseAt(after);
  production = world.target({ databaseUrl: at021.url });
});
afterAll(() => world.drop());

const nowhere = 'postgresql://nobody:secret-word@127.0.0.1:9/nothing';

describe('postgres.identity', () => {
  const identity = (staging: TargetConfig) => {
    const kind = postgresIdentity(world.deps({ targets: [staging, production] }));
    return run(kind, {}, contextOf(production));
  };

  test('two databases of one server are different databases', async () => {
    const outcome = await identity(world.target({ name: 'staging', databaseUrl: at022.url }));
    expect(outcome).toMatchObject({
      result: 'passed',
      summary: 'staging and production are different databases, all writable',
    });
    expect(outcome.output).toContain(at022.name);
  });

  test('one database under two spellings of its URL is found out', async () => {
    const other = at021.url.replace('127.0.0.1', 'localhost');
    const outcome = await identity(world.target({ name: 'staging', databaseUrl: other }));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('staging and production are the same database');
  });

  test('a major version that the runbook was not tried on fails', async () => {
    const staging = world.target({ name: 'staging', databaseUrl: at022.url });
    const kind = postgresIdentity(world.deps({ targets: [staging, production] }));
    const outcome = await run(kind, { major: [9] }, contextOf(production));
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toMatch(/runs PostgreSQL 15\.\d+; this runbook was tried on 9/);
  });

  test('a database that cannot be reached makes it unknown, and the password stays out of the words', async () => {
    const outcome = await identity(world.target({ name: 'staging', databaseUrl: nowhere }));
    expect(outcome.result).toBe('unknown');
    expect(outcome.summary).toContain('the database of staging cannot be reached');
    expect(JSON.stringify(outcome)).not.toContain('secret-word');
  });

  test('a role that opens its transactions read-only cannot change anything', async () => {
    const url = `${at022.url}?options=-c%20default_transaction_read_only%3Don`;
    const outcome = await identity(world.target({ name: 'staging', databaseUrl: url }));
    expect(outcome.summary).toContain('opens its transactions read-only');
  });
});

describe('postgres.activity', () => {
  const activity = (args: object = {}) => run(postgresActivity(world.deps()), args, contextOf(production));

  test('a quiet database passes', async () => {
    expect(await activity()).toMatchObject({ result: 'passed' });
  });

  test('an old transaction, which holds a downgrade up, is named', async () => {
    await withClient(
      at021.url,
      async (client) => {
        await client.query('begin');
        await client.query('select count(*) from m10_recovery.work_queue');
        await client.query('select pg_sleep(0.05)');
        const outcome = await activity({ 'max-transaction-age': '10ms' });
        expect(outcome.result).toBe('failed');
        expect(outcome.summary).toMatch(/session \d+ "reporting" of \w+ has had a transaction open/);
        expect(await activity()).toMatchObject({ result: 'passed' });
      },
      'reporting',
    );
  });

  test('a row lock on alembic_version, behind which an upgrade waits, is found', async () => {
    await withClient(at021.url, async (client) => {
      await client.query('begin');
      await client.query('select * from alembic_version for update');
      const outcome = await activity();
      expect(outcome.result).toBe('failed');
      expect(outcome.summary).toContain('holds RowShareLock on alembic_version');
    });
  });

  test('a reader of alembic_version is in nobody’s way', async () => {
    await withClient(at021.url, async (client) => {
      await client.query('begin');
      await client.query('select * from alembic_version');
      expect(await activity()).toMatchObject({ result: 'passed' });
    });
  });

  test('a running dump is found by its name', async () => {
    await withClient(
      at021.url,
      async () => {
        const outcome = await activity();
        expect(outcome.result).toBe('failed');
        expect(outcome.summary).toContain('a dump is running');
      },
      'pg_dump',
    );
  });

  test('an unreachable database is unknown', async () => {
    const target = world.target({ databaseUrl: nowhere });
    expect(await run(postgresActivity(world.deps()), {}, contextOf(target))).toMatchObject({
      result: 'unknown',
    });
  });

  test('a bad argument says what is expected', () => {
    expect(postgresActivity(world.deps()).bind({ 'max-transaction-age': 'soon' })).toMatchObject({
      ok: false,
      issues: [
        {
          path: ['max-transaction-age'],
          message: 'expected a duration with its unit, such as 30s, 15m or 2h',
        },
      ],
    });
  });
});

describe('the target reader', () => {
  const reader = () => createTargetReader(world.deps().revisions);

  test('says at which revision a target is', async () => {
    expect(await reader().state(production)).toEqual({
      target: 'production',
      summary: `at ${before}`,
      revision: before,
      reachable: true,
    });
  });

  test('tells no revision, several heads and an unreachable database apart', async () => {
    const empty = await world.databaseAt(null);
    expect((await reader().state(world.target({ databaseUrl: empty.url }))).summary).toBe('at no revision');
    await sql(empty.url, 'create table alembic_version (version_num varchar(64))');
    await sql(empty.url, `insert into alembic_version values ('a'), ('b')`);
    const several = await reader().state(world.target({ databaseUrl: empty.url }));
    expect(several).toMatchObject({ summary: 'at a and b', revision: 'a and b' });
    const gone = await reader().state(world.target({ databaseUrl: nowhere }));
    expect(gone).toMatchObject({ reachable: false, revision: null });
    expect(gone.summary).not.toContain('secret-word');
  });

  test('two copies of one database differ in their identity, one database does not', async () => {
    const parts = await reader().identityParts(production);
    expect(parts).toMatchObject({ revision: before });
    expect(parts.database).toContain(at021.name);
    const again = await reader().identityParts({
      ...production,
      databaseUrl: at021.url.replace('127.0.0.1', 'localhost'),
    });
    expect(again.database).toBe(parts.database);
    const copy = await world.databaseAt(before);
    const other = await reader().identityParts({ ...production, databaseUrl: copy.url });
    expect(other.database).not.toBe(parts.database);
    expect(other['system identifier']).toBe(parts['system identifier']);
    await expect(reader().identityParts(world.target({ databaseUrl: nowhere }))).rejects.toThrow(
      'the database of production cannot be reached',
    );
  });
});

describe('the loss counter', () => {
  test('counts now, and says why where it cannot', async () => {
    await sql(
      at022.url,
      `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, processed_at)
       values ('a', '1', 'notify:x', '{}', null), ('a', '2', 'notify:x', '{}', now())`,
    );
    const targets = [
      world.target({ name: 'staging', databaseUrl: at022.url }),
      world.target({ name: 'production', databaseUrl: at021.url }),
      world.target({ name: 'gone', databaseUrl: nowhere }),
    ];
    const counter = createLossCounter({ config: world.deps({ targets }).config });
    const pending = 'SELECT count(*) FROM m10_recovery.outbox WHERE processed_at IS NULL';
    const losses = await counter.count([
      { label: 'pending', on: 'production', sql: pending },
      { label: 'pending', on: 'staging', sql: pending },
      { label: 'all', on: 'staging', sql: 'SELECT count(*) FROM m10_recovery.outbox' },
      { label: 'pending', on: 'gone', sql: pending },
      { label: 'pending', on: 'elsewhere', sql: pending },
      { label: 'writes', on: 'staging', sql: 'DELETE FROM m10_recovery.outbox RETURNING 1' },
      { label: 'two columns', on: 'staging', sql: 'SELECT 1, 2 AS b' },
    ]);
    expect(losses.map((l) => [l.label, l.target, l.count])).toEqual([
      ['pending', 'production', 0],
      ['pending', 'staging', 1],
      ['all', 'staging', 2],
      ['pending', 'gone', null],
      ['pending', 'elsewhere', null],
      ['writes', 'staging', null],
      ['two columns', 'staging', null],
    ]);
    expect(losses[0]?.note).toBe('no such table');
    expect(losses[3]?.note).toContain('cannot be reached');
    expect(losses[5]?.note).toContain('read-only transaction');
    expect(await sql(at022.url, 'select count(*)::int as n from m10_recovery.outbox')).toEqual([{ n: 2 }]);
  });
});
