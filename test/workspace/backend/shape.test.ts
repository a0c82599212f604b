import { afterAll, beforeAll, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { type Backend, connect, type Database, temporaryBackend } from './support.js';

let backend: Backend;
let fresh: FreshDatabase;
let db: Database;

beforeAll(async () => {
  [backend, fresh] = await Promise.all([temporaryBackend(), freshDatabase('shape')]);
  await backend.alembic(['upgrade', revisions.hardening], { DATABASE_URL: fresh.url });
  db = await connect(fresh.url);
});
afterAll(async () => {
  await db?.end();
  await Promise.all([fresh?.drop(), backend?.remove()]);
});

const columns: Record<string, string> = {
  distributed_locks:
    'lock_name:text! holder_id:text! acquired_at:timestamptz! expires_at:timestamptz! metadata:jsonb!',
  replay_log:
    'id:int8! original_msg_id:text! dl_msg_id:text candidate_id:int4 idempotency_key:uuid new_msg_id:text ' +
    'replayed_at:timestamptz! replayed_by:text status:text! error_message:text',
  dead_letter_archive:
    'id:int8! dl_msg_id:text original_msg_id:text candidate_id:int4 failure_match_id:uuid payload:jsonb! ' +
    'reason:text reclaim_count:int4! dead_lettered_at:timestamptz archived_at:timestamptz! archived_by:text',
  outbox:
    'id:int8! aggregate_type:text! aggregate_id:text! event_type:text! payload:jsonb! created_at:timestamptz! ' +
    'processed_at:timestamptz processed_by:text retry_count:int4! last_error:text next_retry_at:timestamptz',
};

test.each(Object.keys(columns))('%s has its columns, in order', async (table) => {
  const found = await db.rows(
    `select string_agg(a.attname || ':' || t.typname || case when a.attnotnull then '!' else '' end, ' '
                       order by a.attnum)
     from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped`,
    [`m10_recovery.${table}`],
  );
  expect(found).toEqual([[columns[table]]]);
});

test('the keys and indexes are there', async () => {
  const found = await db.rows(
    `select indexdef from pg_indexes where schemaname = 'm10_recovery' and tablename = any($1)`,
    [Object.keys(columns)],
  );
  const on = (unique: boolean, name: string, rest: string) =>
    `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${name} ON m10_recovery.${rest}`;
  expect(found.flat().sort()).toEqual([
    on(false, 'idx_dead_letter_archive_archived_at', 'dead_letter_archive USING btree (archived_at)'),
    on(false, 'idx_distributed_locks_expires', 'distributed_locks USING btree (expires_at)'),
    on(false, 'idx_outbox_due', 'outbox USING btree (created_at, id) WHERE (processed_at IS NULL)'),
    on(false, 'idx_replay_log_replayed_at', 'replay_log USING btree (replayed_at)'),
    on(true, 'dead_letter_archive_pkey', 'dead_letter_archive USING btree (id)'),
    on(true, 'distributed_locks_pkey', 'distributed_locks USING btree (lock_name)'),
    on(true, 'outbox_pkey', 'outbox USING btree (id)'),
    on(true, 'replay_log_pkey', 'replay_log USING btree (id)'),
    on(true, 'uq_dead_letter_archive_dl', 'dead_letter_archive USING btree (dl_msg_id)'),
    on(
      true,
      'uq_outbox_pending',
      'outbox USING btree (aggregate_type, aggregate_id, event_type) WHERE (processed_at IS NULL)',
    ),
    on(true, 'uq_replay_log_original', 'replay_log USING btree (original_msg_id)'),
  ]);
});

test('a revision name may be longer than 32 characters', async () => {
  const width = await db.rows(
    `select character_maximum_length from information_schema.columns
     where table_name = 'alembic_version' and column_name = 'version_num'`,
  );
  expect(width).toEqual([[128]]);
});
