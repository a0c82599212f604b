import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { leasedBy, readOutbox, retryNow } from '../../../src/clients/m10/outbox.js';
import { connect, type Database } from '../../../src/clients/postgres.js';
import { after, createWorld, type World } from '../../checks/world.js';

let world: World;
let database: Database;

beforeAll(async () => {
  world = await createWorld();
  const connection = await connect({
    url: (await world.databaseAt(after)).url,
    applicationName: 'test',
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 10_000,
    connectTimeoutMs: 10_000,
  });
  if (connection.kind === 'unreachable') throw new Error(connection.message);
  database = connection.database;
});
beforeEach(async () => {
  await database.query('truncate m10_recovery.outbox restart identity');
  await database.query('truncate m10_recovery.dead_letter_archive');
});
afterAll(async () => {
  await database?.close();
  await world?.drop();
});

interface Given {
  readonly type?: string;
  readonly aggregate?: string;
  /** Minutes ago. */
  readonly age?: number;
  readonly done?: boolean;
  readonly by?: string;
  readonly retries?: number;
  readonly error?: string;
  /** Minutes from now. */
  readonly next?: number;
}

async function event(given: Given = {}): Promise<number> {
  const { type = 'http:a', age = 1, done = false, by = null, retries = 0, error = null, next = null } = given;
  const { rows } = await database.query(
    `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, created_at, processed_at,
       processed_by, retry_count, last_error, next_retry_at)
     values ('order', coalesce($1, gen_random_uuid()::text), $2, '{}', now() - make_interval(mins => $3),
       case when $4 then now() end, $5, $6, $7, now() + make_interval(mins => $8)) returning id::int`,
    [given.aggregate ?? null, type, age, done, by, retries, error, next],
  );
  return Number(rows[0]?.id);
}

test('an empty outbox has no age, no lag and no errors', async () => {
  expect(await readOutbox(database)).toEqual({
    pending: 0,
    due: 0,
    waiting: 0,
    delivering: 0,
    byType: [],
    oldestAge: null,
    lag: 0,
    overdue: 0,
    byRetries: [],
    deadLettered: 0,
    lastErrors: [],
  });
});

test('counts what is pending by type and tries, and measures what is due', async () => {
  await event({ age: 100, done: true });
  await event({ type: 'http:a', age: 60, retries: 2, next: 30, error: 'no answer' });
  await event({ type: 'http:a', age: 50, by: leasedBy('m10bot:x'), next: 1 });
  await event({ type: 'notify:a', age: 20, retries: 1, next: -5, error: 'the journal is away' });
  await event({ type: 'http:a', age: 10 });
  await event({ age: 5, done: true, retries: 5, error: 'Dead letter after 5 tries: gone' });
  await database.query(
    "insert into m10_recovery.dead_letter_archive (dl_msg_id) values ('outbox:6'), ('170-0')",
  );
  const facts = await readOutbox(database);
  expect(facts).toMatchObject({
    pending: 4,
    due: 2,
    waiting: 1,
    delivering: 1,
    byType: [
      { eventType: 'http:a', pending: 3 },
      { eventType: 'notify:a', pending: 1 },
    ],
    byRetries: [
      { retries: 0, pending: 2 },
      { retries: 1, pending: 1 },
      { retries: 2, pending: 1 },
    ],
    deadLettered: 1,
  });
  const minutes = (seconds: number | null) => Math.round((seconds ?? Number.NaN) / 60);
  expect([facts.oldestAge, facts.lag, facts.overdue].map(minutes)).toEqual([60, 20, 10]);
  expect(facts.lastErrors.map(({ id, error, dead }) => [id, error, dead])).toEqual([
    [6, 'Dead letter after 5 tries: gone', true],
    [4, 'the journal is away', false],
    [2, 'no answer', false],
  ]);
  expect(facts.lastErrors[2]?.nextTryAt).toBeGreaterThan(Date.now() + 20 * 60_000);
});

test('a waiting event is made due, and everything else says why it is not', async () => {
  const waiting = await event({ retries: 3, error: 'no answer', next: 30, aggregate: 'one' });
  expect(await retryNow(database, waiting)).toEqual({
    kind: 'made_due',
    eventType: 'http:a',
    retries: 3,
    lastError: 'no answer',
    behind: null,
  });
  expect(await retryNow(database, waiting)).toMatchObject({ kind: 'due_already', behind: null });
  const later = await event({ type: 'http:b', age: 0, next: 5, aggregate: 'one' });
  expect(await retryNow(database, later)).toMatchObject({ kind: 'made_due', behind: waiting });

  const taken = await event({ by: leasedBy('m10bot:x'), next: 1 });
  const delivering = await retryNow(database, taken);
  expect(delivering).toMatchObject({ kind: 'delivering', by: 'm10bot:x' });
  expect(delivering.kind === 'delivering' && delivering.until).toBeGreaterThan(Date.now());
  const { rows } = await database.query('select next_retry_at from m10_recovery.outbox where id = $1', [
    taken,
  ]);
  expect(rows[0]?.next_retry_at).not.toBeNull();
  // A lease that ran out is no lease.
  const left = await event({ by: leasedBy('m10bot:x'), next: -1 });
  expect(await retryNow(database, left)).toMatchObject({ kind: 'due_already' });

  const done = await event({ done: true, error: 'Dead letter after 5 tries: gone' });
  expect(await retryNow(database, done)).toMatchObject({
    kind: 'processed',
    lastError: 'Dead letter after 5 tries: gone',
  });
  expect(await retryNow(database, 4_711)).toEqual({ kind: 'not_found' });
});
