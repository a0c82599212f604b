import type pg from 'pg';
import { wellFormed } from './json.js';
import { CAPABILITIES, createReceiver, type Delivery, type Receipt } from './receive.js';

export interface InboxItem {
  readonly id: number;
  readonly key: string;
  readonly kind: string;
  readonly payload: unknown;
  /** How often it was claimed, this time included. */
  readonly attempts: number;
  readonly receivedAt: Date;
}

export interface DeadItem extends InboxItem {
  readonly error: string;
}

/** Which kinds of items are meant: these alone, or all but these. */
export type Kinds = { readonly only: readonly string[] } | { readonly without: readonly string[] };

export interface Inbox {
  /** Stores a delivery before it is acknowledged; one statement, shared with what arrives meanwhile. */
  receive(delivery: Delivery): Promise<Receipt>;
  /**
   * Claims up to `limit` waiting items, oldest first, of each lane the first one alone. They come back to the others when they are neither
   * finished nor failed within `leaseMs`, for the worker may have died.
   */
  claim(options: { owner: string; limit: number; leaseMs: number; kinds?: Kinds }): Promise<InboxItem[]>;
  /** Claims one item, such as the one just received; undefined when it is claimed, done or dead. */
  claimOne(id: number, owner: string, leaseMs: number): Promise<InboxItem | undefined>;
  /** The item is handled. What in its payload lets one act in Slack is erased. */
  finish(id: number): Promise<void>;
  /**
   * The item could not be handled: it waits longer after each attempt, and is dead after `maxAttempts`. When
   * `owner` is given, nothing happens if the item has been claimed by another one since.
   */
  fail(id: number, error: string, owner?: string): Promise<'waiting' | 'dead' | undefined>;
  /** Dead items, newest first. */
  dead(limit: number): Promise<DeadItem[]>;
  /** Forgets handled items that were finished longer ago; answers how many. Dead ones stay. */
  prune(olderThanMs: number): Promise<number>;
}

export interface InboxOptions {
  /** Default 5. */
  readonly maxAttempts?: number;
  /** Wait after the first failure, doubled for each one after, in ms. Default 1,000. */
  readonly firstDelayMs?: number;
}

/** Longest wait between attempts, in ms. */
const LONGEST_DELAY = 300_000;

/**
 * Nothing that came before it in its lane is still to be handled. What failed once, or hangs for a minute, holds up
 * nobody any longer: the order is worth a wait, and not the channel.
 */
const FIRST_OF_ITS_LANE = `NOT EXISTS (
  SELECT FROM m10bot.inbox AS earlier
   WHERE earlier.lane = item.lane AND earlier.state = 'waiting' AND earlier.attempts <= 1
     AND (earlier.arrived, earlier.id) < (item.arrived, item.id)
     AND earlier.error IS NULL AND earlier.received_at > now() - interval '1 minute')`;

/** The durable inbox over a pool: at least once, in order of arrival as far as retries allow. */
export function createInbox(
  pool: pg.Pool,
  { maxAttempts = 5, firstDelayMs = 1_000 }: InboxOptions = {},
): Inbox {
  async function claimed(condition: string, values: unknown[]): Promise<InboxItem[]> {
    // An item that took its worker down at every attempt never reaches fail(): it dies here instead.
    // ARRAY(…) is evaluated once; IN (…) may be evaluated again for each row, past the limit.
    const { rows } = await pool.query<ItemRow>(
      `UPDATE m10bot.inbox
          SET owner = $1, visible_at = now() + $2 * interval '1 ms',
              attempts = least(attempts + 1, $3),
              state = CASE WHEN attempts >= $3 THEN 'dead' ELSE state END,
              finished_at = CASE WHEN attempts >= $3 THEN now() END,
              error = CASE WHEN attempts >= $3
                THEN coalesce(error, 'its worker ended without an answer at every attempt') ELSE error END
        WHERE id = ANY (ARRAY(
          SELECT id FROM m10bot.inbox AS item WHERE state = 'waiting' AND visible_at <= now()
             AND (lane IS NULL OR ${FIRST_OF_ITS_LANE}) AND ${condition}
           FOR UPDATE SKIP LOCKED))
       RETURNING id, key, kind, payload, attempts, received_at, error, state`,
      values,
    );
    return rows
      .filter((row) => row.state === 'waiting')
      .map(toItem)
      .sort((a, b) => a.id - b.id);
  }

  return {
    receive: createReceiver(pool),
    claim: ({ owner, limit, leaseMs, kinds = { without: [] } }) => {
      const [operator, named] = 'only' in kinds ? ['= ANY', kinds.only] : ['<> ALL', kinds.without];
      const values = [owner, leaseMs, maxAttempts, limit, named];
      return claimed(`kind ${operator} ($5::text[]) ORDER BY id LIMIT $4`, values);
    },
    claimOne: async (id, owner, leaseMs) =>
      (await claimed('id = $4', [owner, leaseMs, maxAttempts, id])).at(0),

    async finish(id) {
      // Two levels: Slack's own payload, and one wrapped in an envelope.
      await pool.query(
        `UPDATE m10bot.inbox
            SET state = 'done', owner = NULL, error = NULL, finished_at = now(),
                payload = CASE WHEN jsonb_typeof(payload) = 'object' THEN (
                  SELECT coalesce(jsonb_object_agg(key,
                    CASE WHEN jsonb_typeof(value) = 'object' THEN value - $2::text[] ELSE value END), '{}')
                  FROM jsonb_each(payload - $2::text[])) ELSE payload END
          WHERE id = $1 AND state <> 'done'`,
        [id, CAPABILITIES],
      );
    },

    async fail(id, error, owner) {
      const { rows } = await pool.query<{ state: 'waiting' | 'dead' }>(
        `UPDATE m10bot.inbox
            SET state = CASE WHEN attempts >= $3 THEN 'dead' ELSE 'waiting' END,
                finished_at = CASE WHEN attempts >= $3 THEN now() END,
                visible_at = now() + least($4 * 2.0 ^ greatest(attempts - 1, 0), $5) * interval '1 ms',
                error = $2, owner = NULL
          WHERE id = $1 AND state = 'waiting' AND ($6::text IS NULL OR owner = $6)
         RETURNING state`,
        [id, wellFormed(error), maxAttempts, firstDelayMs, LONGEST_DELAY, owner ?? null],
      );
      return rows[0]?.state;
    },

    async dead(limit) {
      const { rows } = await pool.query<ItemRow>(
        `SELECT id, key, kind, payload, attempts, received_at, error, state
           FROM m10bot.inbox WHERE state = 'dead' ORDER BY id DESC LIMIT $1`,
        [limit],
      );
      return rows.map((row) => ({ ...toItem(row), error: row.error ?? '' }));
    },

    async prune(olderThanMs) {
      const { rowCount } = await pool.query(
        `DELETE FROM m10bot.inbox WHERE state = 'done' AND finished_at < now() - $1 * interval '1 ms'`,
        [olderThanMs],
      );
      return rowCount ?? 0;
    },
  };
}

interface ItemRow {
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly attempts: number;
  readonly received_at: Date;
  readonly error: string | null;
  readonly state: 'waiting' | 'done' | 'dead';
}

function toItem({ id, key, kind, payload, attempts, received_at }: ItemRow): InboxItem {
  return { id: Number(id), key, kind, payload, attempts, receivedAt: received_at };
}
