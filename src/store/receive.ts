import pg from 'pg';
import { toJson, wellFormed } from './json.js';

/** Something that Slack delivered. */
export interface Delivery {
  /** Slack's identity of the delivery, such as an event id: a second one with the same key is a redelivery. */
  readonly key: string;
  readonly kind: string;
  readonly payload: unknown;
  /** What shares a lane is handled in the order in which it came; without one it waits for nobody. */
  readonly lane?: string | null;
  /** Answered already: kept for deduplication alone, never claimed. */
  readonly done?: boolean;
}

export interface Receipt {
  readonly id: number;
  /** False for a redelivery. */
  readonly fresh: boolean;
  /** Where the journal ends: what was read at this position is current. */
  readonly head: number;
}

/** Payload keys that let whoever reads them post or open a dialog as the bot. */
export const CAPABILITIES = ['response_url', 'response_urls', 'trigger_id', 'interactivity', 'token'];

/** Most deliveries that share a statement. */
const MOST = 100;

/** Statements under way at once: a second one uses the time in which the first is written to disk. */
const SIDE_BY_SIDE = 2;

const RECEIVE = `INSERT INTO m10bot.inbox AS item
           (key, kind, payload, state, lane, arrived, visible_at, received_at, finished_at)
    SELECT key, kind, payload::jsonb, state, lane, arrived, now(), now(),
           CASE WHEN state = 'done' THEN now() END
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
           AS given (key, kind, payload, state, lane, arrived)
  ON CONFLICT (key) DO UPDATE SET deliveries = item.deliveries + 1
  RETURNING key, id, deliveries = 1 AS fresh, (SELECT position FROM m10bot.journal_head) AS head`;

/** invalid_sql_statement_name, duplicate_prepared_statement */
const LOST_STATEMENT = ['26000', '42P05'];

interface ReceiptRow {
  readonly key: string;
  readonly id: string;
  readonly fresh: boolean;
  readonly head: string | null;
}

interface Waiting {
  readonly key: string;
  readonly kind: string;
  readonly payload: string;
  readonly state: 'waiting' | 'done';
  readonly lane: string | null;
  /** µs since the epoch, and never the same twice. */
  readonly arrived: number;
  resolve(receipt: Receipt): void;
  reject(error: unknown): void;
}

/**
 * Stores deliveries. Every request of Slack waits for this, so what arrives while a statement is under way
 * goes together in the next one: under load many share one round trip and one commit, and a single one waits
 * for nobody.
 */
export function createReceiver(pool: pg.Pool): (delivery: Delivery) => Promise<Receipt> {
  let waiting: Waiting[] = [];
  let busy = 0;
  let latest = 0;
  let prepared = true;

  async function insert(batch: readonly Waiting[]): Promise<ReceiptRow[]> {
    const values = [
      batch.map((w) => w.key),
      batch.map((w) => w.kind),
      batch.map((w) => w.payload),
      batch.map((w) => w.state),
      batch.map((w) => w.lane),
      batch.map((w) => w.arrived),
    ];
    if (prepared) {
      try {
        // Named, so that each connection plans it once.
        return (await pool.query<ReceiptRow>({ name: 'm10bot-receive', text: RECEIVE, values })).rows;
      } catch (error) {
        if (!(error instanceof pg.DatabaseError) || !LOST_STATEMENT.includes(error.code ?? '')) throw error;
        // Behind a pooler that gives each transaction another connection. Nothing was executed.
        prepared = false;
      }
    }
    return (await pool.query<ReceiptRow>(RECEIVE, values)).rows;
  }

  /** The next ones: each key once, since a statement can touch a row once only; in one order on every replica. */
  function take(): Waiting[] {
    const batch = new Map<string, Waiting>();
    const later: Waiting[] = [];
    for (const one of waiting) {
      if (batch.size < MOST && !batch.has(one.key)) batch.set(one.key, one);
      else later.push(one);
    }
    waiting = later;
    return [...batch.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** One delivery that the database cannot store must not take those beside it along. */
  async function oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const one of batch) {
      try {
        const [row] = await insert([one]);
        if (row === undefined) throw new Error(`the database gave no answer about ${one.key}`);
        one.resolve({ id: Number(row.id), fresh: row.fresh, head: Number(row.head ?? 0) });
      } catch (error) {
        one.reject(error);
      }
    }
  }

  async function work(): Promise<void> {
    if (busy >= SIDE_BY_SIDE) return;
    busy += 1;
    while (waiting.length > 0) {
      const batch = take();
      try {
        const rows = new Map((await insert(batch)).map((row) => [row.key, row]));
        for (const one of batch) {
          const row = rows.get(one.key);
          if (row === undefined) one.reject(new Error(`the database gave no answer about ${one.key}`));
          else one.resolve({ id: Number(row.id), fresh: row.fresh, head: Number(row.head ?? 0) });
        }
      } catch (error) {
        if (batch.length > 1 && isDataError(error)) await oneByOne(batch);
        else for (const one of batch) one.reject(error);
      }
    }
    busy -= 1;
  }

  return ({ key, kind, payload, lane = null, done = false }) =>
    new Promise((resolve, reject) => {
      latest = Math.max(latest + 1, Date.now() * 1_000);
      const kept = toJson(done ? withoutCapabilities(payload) : payload);
      waiting.push({
        key: wellFormed(key),
        kind: wellFormed(kind),
        payload: JSON.stringify(kept),
        state: done ? 'done' : 'waiting',
        lane: lane === null ? null : wellFormed(lane),
        arrived: latest,
        resolve,
        reject,
      });
      void work();
    });
}

/** Classes 22 and 54: a value is at fault or beyond a limit, and nothing of the statement was carried out. */
function isDataError(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(22|54)/.test(error.code ?? '');
}

/** At every depth: a payload may wrap another one. */
function withoutCapabilities(payload: unknown): unknown {
  if (Array.isArray(payload)) return payload.map(withoutCapabilities);
  if (payload === null || typeof payload !== 'object') return payload;
  return Object.fromEntries(
    Object.entries(payload)
      .filter(([key]) => !CAPABILITIES.includes(key))
      .map(([key, value]) => [key, withoutCapabilities(value)]),
  );
}
