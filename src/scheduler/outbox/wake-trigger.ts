import { z } from 'zod';
import { attempt } from '../../clients/postgres/failure.js';
import type { Database } from '../../clients/postgres.js';

/** The channel on which the trigger tells of new events. */
export const WAKE_CHANNEL = 'm10bot_outbox';

/**
 * `there`: somebody made it before. `no_outbox`: the table is not there, as before revision 022. `refused`: this
 * role may not, or it could not be made now.
 */
export type WakeTrigger =
  | { readonly kind: 'made' | 'there' | 'no_outbox' }
  | { readonly kind: 'refused'; readonly why: string };

const Look = z.object({ outbox: z.boolean(), trigger: z.boolean() });

/**
 * Makes the trigger that notifies once for each statement that inserts events, unless it is there. Its function
 * has a schema of its own, so that `m10_recovery` holds what the migration made and nothing else; the trigger goes
 * when its table goes. `DROP SCHEMA m10bot_wake CASCADE` takes both away.
 *
 * A transaction that notifies holds a lock of the whole server for the moment of its commit, so publishers that
 * commit thousands of times a second are better served by the schedule alone.
 */
export async function ensureWakeTrigger(database: Database): Promise<WakeTrigger> {
  const [found] = await database.rows(
    Look,
    `select to_regclass('m10_recovery.outbox') is not null as outbox,
            exists (select 1 from pg_trigger
                     where tgrelid = to_regclass('m10_recovery.outbox') and tgname = 'm10bot_outbox_wake') as trigger`,
  );
  if (found?.outbox !== true) return { kind: 'no_outbox' };
  if (found.trigger) return { kind: 'there' };
  const made = await attempt(() =>
    database.transaction(async (transaction) => {
      // Publishers would queue behind the wish for the table's lock.
      await transaction.query("set local lock_timeout = '2s'");
      await transaction.query('create schema if not exists m10bot_wake');
      await transaction.query(
        `create or replace function m10bot_wake.notify() returns trigger language plpgsql as
         $$ begin perform pg_notify('${WAKE_CHANNEL}', ''); return null; end $$`,
      );
      // Whoever may publish runs it.
      await transaction.query('grant usage on schema m10bot_wake to public');
      await transaction.query(
        `create trigger m10bot_outbox_wake after insert on m10_recovery.outbox
           for each statement execute function m10bot_wake.notify()`,
      );
    }),
  );
  if (made.kind === 'ok') return { kind: 'made' };
  if (made.kind === 'connection_lost') throw new Error(made.message);
  return { kind: 'refused', why: made.message };
}
