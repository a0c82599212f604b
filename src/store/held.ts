import type pg from 'pg';

/** What a lane of the publisher holds back for one channel, because Slack does not take it there now. */
export interface HeldBack {
  readonly lane: string;
  readonly channel: string;
  /** Everything of this channel up to this journal position has been posted by this lane. */
  readonly position: number;
  /** Messages that wait. */
  readonly waiting: number;
  /** The event that the first of them tells of. */
  readonly stream: string;
  readonly version: number;
  /** Slack's error code. */
  readonly code: string;
  /** How often Slack refused. */
  readonly tries: number;
  readonly since: Date;
}

/** Where a lane stands still for a channel, and why. */
export type Refused = Omit<HeldBack, 'tries' | 'since'>;

export interface Held {
  /** Everything that is held back, longest first. */
  list(): Promise<HeldBack[]>;
  /** What one lane holds back, by channel. */
  of(lane: string): Promise<ReadonlyMap<string, HeldBack>>;
  /** Slack refused: the lane stands still for the channel, or goes on doing so. */
  refused(held: Refused): Promise<void>;
  /** More has come that waits behind. */
  add(lane: string, channel: string, messages: number): Promise<void>;
  /** Some of it was posted. */
  move(lane: string, channel: string, position: number, waiting: number): Promise<void>;
  /** All of it was posted. */
  release(lane: string, channel: string): Promise<void>;
}

/** In the place of Slack's code: the lane before this one stands still for the channel. */
export const BEHIND = 'behind';

/** What waits for a channel for one reason, over all lanes. */
export interface Waiting {
  readonly channel: string;
  readonly code: string;
  readonly messages: number;
  readonly since: Date;
}

/** What people are to know: what waits, and what Slack takes in no form. */
export interface Undelivered {
  readonly waiting: readonly Waiting[];
  /** Keys of messages and files that were given up, newest first. */
  readonly refused: readonly { readonly key: string; readonly code: string }[];
}

/** How long something that was given up is told of, in PostgreSQL's words. */
const TOLD_FOR = '7 days';

/** Reads what has not been delivered; what was given up is told of for a week. */
export async function readUndelivered(pool: Pick<pg.Pool, 'query'>): Promise<Undelivered> {
  const held = await createHeld(pool).list();
  const { rows } = await pool.query<{ key: string; code: string }>(
    `SELECT substr(refused.key, length('undelivered:') + 1) AS key, refused.hash AS code
       FROM m10bot.posted AS refused
      WHERE refused.key LIKE 'undelivered:%' AND refused.updated_at > now() - $1::interval
        AND NOT EXISTS (SELECT FROM m10bot.posted AS later
                         WHERE later.key = substr(refused.key, length('undelivered:') + 1))
      ORDER BY refused.updated_at DESC LIMIT 100`,
    [TOLD_FOR],
  );
  return { waiting: waitingOf(held), refused: rows };
}

/** Sums up by channel and reason; what stands behind another lane waits for that lane's reason. */
export function waitingOf(held: readonly HeldBack[]): Waiting[] {
  const sums = new Map<string, Waiting>();
  for (const { channel, code: own, waiting, since } of held) {
    const code =
      own === BEHIND
        ? (held.find((each) => each.channel === channel && each.code !== BEHIND)?.code ?? BEHIND)
        : own;
    const key = JSON.stringify([channel, code]);
    const before = sums.get(key);
    const first = before === undefined || since < before.since ? since : before.since;
    sums.set(key, { channel, code, messages: (before?.messages ?? 0) + waiting, since: first });
  }
  return [...sums.values()];
}

interface HeldRow extends Omit<HeldBack, 'position' | 'version'> {
  readonly position: string;
  readonly version: string;
}

const COLUMNS = 'lane, channel, position, waiting, stream, version, code, tries, since';

export function createHeld(pool: Pick<pg.Pool, 'query'>): Held {
  return {
    async list() {
      const { rows } = await pool.query<HeldRow>(
        `SELECT ${COLUMNS} FROM m10bot.held ORDER BY since, channel, lane`,
      );
      return rows.map(fromRow);
    },
    async of(lane) {
      const { rows } = await pool.query<HeldRow>(`SELECT ${COLUMNS} FROM m10bot.held WHERE lane = $1`, [
        lane,
      ]);
      return new Map(rows.map((row) => [row.channel, fromRow(row)]));
    },
    async refused({ lane, channel, position, waiting, stream, version, code }) {
      await pool.query(
        `INSERT INTO m10bot.held AS held (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, now())
         ON CONFLICT (lane, channel) DO UPDATE SET position = excluded.position, waiting = excluded.waiting,
           stream = excluded.stream, version = excluded.version, code = excluded.code, tries = held.tries + 1`,
        [lane, channel, position, waiting, stream, version, code],
      );
    },
    async add(lane, channel, messages) {
      await pool.query('UPDATE m10bot.held SET waiting = waiting + $3 WHERE lane = $1 AND channel = $2', [
        lane,
        channel,
        messages,
      ]);
    },
    async move(lane, channel, position, waiting) {
      await pool.query(
        'UPDATE m10bot.held SET position = $3, waiting = $4 WHERE lane = $1 AND channel = $2',
        [lane, channel, position, waiting],
      );
    },
    async release(lane, channel) {
      await pool.query('DELETE FROM m10bot.held WHERE lane = $1 AND channel = $2', [lane, channel]);
    },
  };
}

function fromRow(row: HeldRow): HeldBack {
  return { ...row, position: Number(row.position), version: Number(row.version) };
}
