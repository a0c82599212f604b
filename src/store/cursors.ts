import type pg from 'pg';

/** How far each reader of the journal has come. */
export interface Cursors {
  /** The position that the reader has handled; 0 when it has not begun. */
  get(name: string): Promise<number>;
  /** Moves the reader from one position to a later one; false when it is no longer at `from`. */
  advance(name: string, from: number, to: number): Promise<boolean>;
}

export function createCursors(pool: pg.Pool): Cursors {
  return {
    async get(name) {
      const { rows } = await pool.query<{ position: string }>(
        'SELECT position FROM m10bot.cursors WHERE name = $1',
        [name],
      );
      return Number(rows[0]?.position ?? 0);
    },
    async advance(name, from, to) {
      if (to <= from) throw new RangeError(`cursor ${name} only moves forward: from ${from} to ${to}`);
      // The first advance inserts; ON CONFLICT serves the replica that inserts at the same time.
      const { rowCount } = await pool.query(
        from === 0
          ? `INSERT INTO m10bot.cursors AS cursor (name, position, updated_at) VALUES ($1, $3, now())
             ON CONFLICT (name) DO UPDATE SET position = $3, updated_at = now() WHERE cursor.position = $2`
          : 'UPDATE m10bot.cursors SET position = $3, updated_at = now() WHERE name = $1 AND position = $2',
        [name, from, to],
      );
      return rowCount === 1;
    },
  };
}
