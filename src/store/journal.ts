import type pg from 'pg';
import { appendError } from './errors.js';
import { EVENT_COLUMNS, type EventDraft, type EventRow, fromRow, type StoredEvent } from './event.js';
import { exportLines } from './export.js';
import { canonical, inStoredOrder, type Json, toJson, wellFormed } from './json.js';
import { type Head, type Verdict, type VerifyOptions, verify } from './verify.js';

/** The channel that every append notifies, with the last position as the payload. */
export const JOURNAL_CHANNEL = 'm10bot_journal';

export interface Write {
  readonly stream: string;
  /** The stream's version that the decision was made at; 0 means that the stream must not exist yet. */
  readonly expectedVersion: number;
  /** May be empty: then the write only asserts the version. */
  readonly events: readonly EventDraft[];
}

/** Proof of ownership: the append is refused unless this is what the lease says at that moment. */
export interface Fence {
  readonly lease: string;
  readonly owner: string;
  readonly epoch: number;
}

export interface Journal {
  /**
   * Appends to one or several streams in one transaction and one round trip, all or nothing. When the
   * connection breaks before the answer, the outcome is unknown: read the stream again.
   *
   * @throws VersionConflict when a stream is not at its expected version.
   * @throws LeaseLost when the fence does not hold by the database's clock.
   */
  append(writes: readonly Write[], options?: { readonly fence?: Fence }): Promise<StoredEvent[]>;
  /** Events of one stream after a version, oldest first. */
  read(stream: string, afterVersion?: number): Promise<StoredEvent[]>;
  /** Events of all streams after a position, oldest first, at most `limit`. */
  readAll(afterPosition: number, limit: number): Promise<StoredEvent[]>;
  /** The newest event of a stream. */
  last(stream: string): Promise<StoredEvent | undefined>;
  /** The version a stream is at; 0 when it does not exist. */
  version(stream: string): Promise<number>;
  /** Where the hash chain ends. Kept outside the database, it shows a cut tail later. */
  head(): Promise<Head>;
  /** Recomputes the chain and says where it breaks first. */
  verify(options?: VerifyOptions): Promise<Verdict>;
  /** Names of streams that start with a prefix, newest first. A prefix with its colon (`run:`) is quickest. */
  streams(prefix: string, limit: number): Promise<string[]>;
  /** One line of canonical JSON per event, with its hash and the hash before it. */
  exportLines(stream?: string): AsyncIterable<string>;
}

/** The journal over a pool. `now` replaces the database's clock for the events' time, for tests alone. */
export function createJournal(pool: pg.Pool, options: { readonly now?: () => Date } = {}): Journal {
  async function append(writes: readonly Write[], { fence }: { readonly fence?: Fence } = {}) {
    const drafts = writes.flatMap(draftsOf);
    if (drafts.length === 0) return [];
    const { rows } = await pool
      .query<{ appended_position: string; appended_at: string; appended_hash: string }>(
        `SELECT appended_position, appended_at, appended_hash
           FROM m10bot.append($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          drafts.map((draft) => draft.stream),
          drafts.map((draft) => draft.version),
          drafts.map((draft) => draft.type),
          drafts.map((draft) => draft.actor),
          drafts.map((draft) => canonical(draft.data)),
          fence?.lease ?? null,
          fence?.owner ?? null,
          fence?.epoch ?? null,
          options.now?.() ?? null,
        ],
      )
      .catch((error: unknown) => {
        throw appendError(error, fence);
      });
    return drafts.filter(isEvent).map((draft, index): StoredEvent => {
      const row = rows[index];
      if (row === undefined) throw new Error('the journal answered with fewer events than it was given');
      const position = Number(row.appended_position);
      return { ...draft, position, at: row.appended_at, hash: row.appended_hash };
    });
  }

  async function select(rest: string, values: unknown[]) {
    const { rows } = await pool.query<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM m10bot.events AS event ${rest}`,
      values,
    );
    return rows.map(fromRow);
  }

  return {
    append,
    read: (stream, afterVersion = 0) =>
      select('WHERE stream = $1 AND version > $2 ORDER BY version', [stream, afterVersion]),
    readAll: (afterPosition, limit) =>
      select('WHERE position > $1 ORDER BY position LIMIT $2', [afterPosition, limit]),
    last: async (stream) => (await select('WHERE stream = $1 ORDER BY version DESC LIMIT 1', [stream])).at(0),
    async version(stream) {
      const { rows } = await pool.query<{ version: number }>(
        'SELECT coalesce(max(version), 0) AS version FROM m10bot.events WHERE stream = $1',
        [stream],
      );
      return rows[0]?.version ?? 0;
    },
    head: () => readHead(pool),
    verify: (verifyOptions = {}) => verify(pool, verifyOptions),
    async streams(prefix, limit) {
      const kind = prefix.includes(':') ? "split_part(stream, ':', 1) = split_part($1, ':', 1) AND" : '';
      const { rows } = await pool.query<{ stream: string }>(
        `SELECT stream FROM m10bot.events
          WHERE version = 1 AND ${kind} starts_with(stream, $1) ORDER BY position DESC LIMIT $2`,
        [prefix, limit],
      );
      return rows.map((row) => row.stream);
    },
    exportLines: (stream) => exportLines(pool, stream),
  };
}

async function readHead(pool: pg.Pool): Promise<Head> {
  const { rows } = await pool.query<{ position: string; hash: string }>(
    'SELECT position, hash FROM m10bot.journal_head',
  );
  const row = rows[0];
  if (row === undefined) throw new Error('the journal has lost its head row; run the audit verification');
  return { position: Number(row.position), hash: row.hash };
}

/** The events of a write with their versions; for a write without events, one element without a type. */
function draftsOf(write: Write): Draft[] {
  const stream = wellFormed(write.stream);
  const first = write.expectedVersion + 1;
  if (write.events.length === 0) return [{ stream, version: first, type: null, actor: null, data: null }];
  return write.events.map((event, index) => ({
    stream,
    version: first + index,
    type: wellFormed(event.type),
    actor: event.actor == null ? null : wellFormed(event.actor),
    data: inStoredOrder(toJson(event.data)),
  }));
}

interface Draft {
  readonly stream: string;
  readonly version: number;
  readonly type: string | null;
  readonly actor: string | null;
  readonly data: Json;
}

function isEvent(draft: Draft): draft is Draft & { type: string } {
  return draft.type !== null;
}
