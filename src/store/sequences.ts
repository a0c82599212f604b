import type pg from 'pg';

/** The number of the next run. Numbers are never used twice; one taken by a refused command is left out. */
export async function nextRunNumber(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ next: string }>(`SELECT nextval('m10bot.run_number') AS next`);
  const next = rows[0]?.next;
  if (next === undefined) throw new Error('the database gave no run number');
  return Number(next);
}
