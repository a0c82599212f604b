import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { type Backend, connect, type Database, temporaryBackend } from './support.js';

let backend: Backend;
let fresh: FreshDatabase;
let db: Database;

beforeAll(async () => {
  [backend, fresh] = await Promise.all([temporaryBackend(), freshDatabase('functions')]);
  await backend.alembic(['upgrade', revisions.hardening], { DATABASE_URL: fresh.url });
  db = await connect(fresh.url);
});
afterAll(async () => {
  await db?.end();
  await Promise.all([fresh?.drop(), backend?.remove()]);
});
beforeEach(() => db.rows('begin'));
afterEach(() => db.rows('rollback'));

/** The value of one call. */
const call = async (expression: string, values: readonly unknown[] = []) =>
  (await db.rows(`select m10_recovery.${expression}`, values))[0]?.[0];

describe('locks', () => {
  test('a free lock is acquired, a held one is not, an own one is renewed', async () => {
    expect(await call(`acquire_lock('l', 'a', 60)`)).toBe(true);
    expect(await call(`acquire_lock('l', 'b', 60)`)).toBe(false);
    expect(await call(`acquire_lock('l', 'a', 60)`)).toBe(true);
    expect(await db.rows('select holder_id from m10_recovery.distributed_locks')).toEqual([['a']]);
  });

  test('an expired lock is taken over', async () => {
    await call(`acquire_lock('l', 'a', -1)`);
    expect(await call(`acquire_lock('l', 'b', 60)`)).toBe(true);
    expect(await db.rows('select holder_id from m10_recovery.distributed_locks')).toEqual([['b']]);
  });

  test('a lock holds for 600 seconds unless told, from acquire and extend alike', async () => {
    const seconds = `select extract(epoch from expires_at - clock_timestamp())::int between 590 and 600
      from m10_recovery.distributed_locks`;
    await call(`acquire_lock('l', 'a')`);
    expect(await db.rows(seconds)).toEqual([[true]]);
    await db.rows(
      `update m10_recovery.distributed_locks set expires_at = clock_timestamp() + interval '5 s'`,
    );
    expect(await call(`extend_lock('l', 'a')`)).toBe(true);
    expect(await db.rows(seconds)).toEqual([[true]]);
  });

  test('only the holder of a live lock extends it', async () => {
    await call(`acquire_lock('l', 'a', 60)`);
    expect(await call(`extend_lock('l', 'b', 60)`)).toBe(false);
    await call(`acquire_lock('old', 'a', -1)`);
    expect(await call(`extend_lock('old', 'a', 60)`)).toBe(false);
  });

  test('only the holder releases, once', async () => {
    await call(`acquire_lock('l', 'a', 60)`);
    expect(await call(`release_lock('l', 'b')`)).toBe(false);
    expect(await call(`release_lock('l', 'a')`)).toBe(true);
    expect(await call(`release_lock('l', 'a')`)).toBe(false);
  });

  test('cleanup removes and counts the expired ones', async () => {
    await call(`acquire_lock('old-1', 'a', -1)`);
    await call(`acquire_lock('old-2', 'a', -1)`);
    await call(`acquire_lock('held', 'a', 60)`);
    expect(await call('cleanup_expired_locks()')).toBe(2);
    expect(await db.rows('select lock_name from m10_recovery.distributed_locks')).toEqual([['held']]);
  });
});

describe('dead letters', () => {
  test('a replay is recorded once per original message', async () => {
    const replay = `select * from m10_recovery.record_replay('original', $1, null, null, $2, 'runbook')`;
    const [first] = await db.rows(replay, ['dl-1', 'new-1']);
    const [second] = await db.rows(replay, ['dl-2', 'new-2']);
    expect(first?.[0]).toBe(false);
    expect(second).toEqual([true, first?.[1]]);
    expect(await db.rows('select dl_msg_id, new_msg_id from m10_recovery.replay_log')).toEqual([
      ['dl-1', 'new-1'],
    ]);
  });

  test('a dead letter is archived once and keeps its first content', async () => {
    const archive = `archive_dead_letter('dl-1', 'original', 7, null, $1, 'too many tries', 3, now(), 'job')`;
    const id = await call(archive, [{ n: 1 }]);
    expect(await call(archive, [{ n: 2 }])).toBe(id);
    expect(
      await db.rows(`select original_msg_id, candidate_id, payload, reason, reclaim_count, archived_by
                     from m10_recovery.dead_letter_archive`),
    ).toEqual([['original', 7, { n: 1 }, 'too many tries', 3, 'job']]);
  });
});

describe('outbox', () => {
  const publish = (n: number) => call(`publish_outbox('order', 'o-1', 'http:created', $1)`, [{ n }]);
  const claim = `select event_id, aggregate_type, aggregate_id, event_type, payload, retry_count
    from m10_recovery.claim_outbox_events('p')`;

  test('publishing again while an event is pending replaces its payload, and counts like a try', async () => {
    const id = await publish(1);
    expect(await publish(2)).toBe(id);
    expect(await db.rows(claim)).toEqual([[id, 'order', 'o-1', 'http:created', { n: 2 }, 1]]);
  });

  test('a delivered event is claimed no more, and the next one is a new row', async () => {
    const id = await publish(1);
    expect(await call(`complete_outbox_event($1, 'p', true)`, [id])).toBe(true);
    expect(await call(`complete_outbox_event($1, 'p', true)`, [id])).toBe(false);
    expect(await db.rows(claim)).toEqual([]);
    expect(await publish(2)).not.toBe(id);
  });

  test('a failed delivery counts, keeps its error and waits 60 seconds unless told', async () => {
    const id = await publish(1);
    expect(await call(`complete_outbox_event($1, 'p', false, 'HTTP 503')`, [id])).toBe(true);
    expect(
      await db.rows(`select retry_count, last_error, processed_at,
        extract(epoch from next_retry_at - clock_timestamp())::int between 50 and 60 from m10_recovery.outbox`),
    ).toEqual([[1, 'HTTP 503', null, true]]);
    expect(await db.rows(claim)).toEqual([]);
    await call(`complete_outbox_event($1, 'p', false, 'HTTP 503', -1)`, [id]);
    expect(await db.rows(claim)).toHaveLength(1);
  });

  test('a claim takes ten unless told, oldest first', async () => {
    await db.rows(`select m10_recovery.publish_outbox('order', n::text, 'http:created', '{}')
      from generate_series(1, 12) n`);
    expect((await db.rows(claim)).map((row) => row[2])).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      '8',
      '9',
      '10',
    ]);
    expect(await db.rows(`select from m10_recovery.claim_outbox_events('p', 12)`)).toHaveLength(12);
  });

  test('a claim hides events from others until its transaction ends', async () => {
    await publish(1);
    await db.rows('commit');
    const other = await connect(fresh.url);
    try {
      await db.rows('begin');
      expect(await db.rows(claim)).toHaveLength(1);
      expect(await other.rows(claim)).toHaveLength(0);
      await db.rows('rollback');
      expect(await other.rows(claim)).toHaveLength(1);
      await other.rows('delete from m10_recovery.outbox');
    } finally {
      await other.end();
    }
  });
});

describe('refresh_mv_tracked', () => {
  test('refreshes, logs, and shows in matview_freshness', async () => {
    expect(await db.rows('select * from m10_recovery.matview_freshness')).toEqual([]);
    const [row] = await db.rows(`select * from m10_recovery.refresh_mv_tracked('mv_top_pending')`);
    expect(row).toEqual([true, expect.any(Number), null]);
    expect(
      await db.rows(
        'select view_name, age_seconds is not null, last_success from m10_recovery.matview_freshness',
      ),
    ).toEqual([['mv_top_pending', true, true]]);
  });

  test('a refresh that fails is an answer and a row, not an exception', async () => {
    const [row] = await db.rows(`select * from m10_recovery.refresh_mv_tracked('mv_nothing')`);
    expect(row).toEqual([false, expect.any(Number), expect.stringContaining('does not exist')]);
    expect(await db.rows('select last_refresh, last_success from m10_recovery.matview_freshness')).toEqual([
      [null, false],
    ]);
  });
});
