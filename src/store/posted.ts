import type pg from 'pg';

/** A message of the bot that stands in Slack. */
export interface PostedMessage {
  /** What it shows, such as `run:7:card`. */
  readonly key: string;
  readonly channel: string;
  /** Slack's identity of the message in its channel. */
  readonly ts: string;
  /** Digest of what it shows, so that an equal update need not be sent. */
  readonly hash: string;
  /** The journal position it shows. */
  readonly position: number;
  readonly updatedAt: Date;
}

export interface Posted {
  get(key: string): Promise<PostedMessage | undefined>;
  /** The message at a place in Slack, such as the one that somebody reacted to. */
  at(channel: string, ts: string): Promise<PostedMessage | undefined>;
  /** Remembers a message that was posted or updated. */
  put(message: Omit<PostedMessage, 'updatedAt'>): Promise<void>;
  /** Messages whose key starts with a prefix, by key. */
  list(prefix: string): Promise<PostedMessage[]>;
}

interface PostedRow {
  readonly key: string;
  readonly channel: string;
  readonly ts: string;
  readonly hash: string;
  readonly position: string;
  readonly updated_at: Date;
}

const COLUMNS = 'key, channel, ts, hash, position, updated_at';

export function createPosted(pool: pg.Pool): Posted {
  return {
    async get(key) {
      const { rows } = await pool.query<PostedRow>(`SELECT ${COLUMNS} FROM m10bot.posted WHERE key = $1`, [
        key,
      ]);
      return rows.map(fromRow).at(0);
    },
    async at(channel, ts) {
      const { rows } = await pool.query<PostedRow>(
        `SELECT ${COLUMNS} FROM m10bot.posted WHERE channel = $1 AND ts = $2 ORDER BY key LIMIT 1`,
        [channel, ts],
      );
      return rows.map(fromRow).at(0);
    },
    async put({ key, channel, ts, hash, position }) {
      await pool.query(
        `INSERT INTO m10bot.posted (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, now())
         ON CONFLICT (key) DO UPDATE SET channel = excluded.channel, ts = excluded.ts, hash = excluded.hash,
           position = excluded.position, updated_at = excluded.updated_at`,
        [key, channel, ts, hash, position],
      );
    },
    async list(prefix) {
      const { rows } = await pool.query<PostedRow>(
        `SELECT ${COLUMNS} FROM m10bot.posted WHERE key LIKE $1 ORDER BY key COLLATE "C"`,
        // Wildcards in the prefix stand for themselves.
        [`${prefix.replace(/[\\%_]/g, '\\$&')}%`],
      );
      return rows.map(fromRow);
    },
  };
}

function fromRow({ key, channel, ts, hash, position, updated_at }: PostedRow): PostedMessage {
  return { key, channel, ts, hash, position: Number(position), updatedAt: updated_at };
}
