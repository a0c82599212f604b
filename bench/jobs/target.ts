import pg from 'pg';
import { createDatabase } from '../../workspace/services/databases.js';
import type { World } from '../world.js';

/** A fresh database with the objects of the hardening. */
export async function hardenedDatabase(world: World): Promise<string> {
  return createDatabase(world.services.postgres.adminUrl, world.name(), { template: await world.hardened() });
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Leaves exactly `count` pending events, each of an aggregate of its own and a little older than the next one,
 * in a table as autovacuum would have left it.
 */
export async function fillOutbox(
  url: string,
  events: { readonly count: number; readonly type: string; readonly payload: object },
): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('TRUNCATE m10_recovery.outbox');
    await client.query(
      `INSERT INTO m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, created_at)
       SELECT 'candidate', n, $2, $3::jsonb || jsonb_build_object('n', n),
              now() - interval '1 hour' + n * interval '1 microsecond'
         FROM generate_series(1, $1::int) AS n`,
      [events.count, events.type, JSON.stringify(events.payload)],
    );
    await client.query('VACUUM ANALYZE m10_recovery.outbox');
    // Neither a checkpoint nor the filling itself may fall into what is measured.
    await client.query('CHECKPOINT');
  });
}

/** @throws Error when events are pending still, for a fast run that did nothing proves nothing */
export async function expectDrained(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rows } = await client.query<{ left: number }>(
      'SELECT count(*)::int AS left FROM m10_recovery.outbox WHERE processed_at IS NULL',
    );
    const left = rows[0]?.left ?? -1;
    if (left !== 0) throw new Error(`${left} events of the outbox are still pending after the drain`);
  });
}
