import type pg from 'pg';

/** A state directory as the database knows it. */
export interface KnownDirectory {
  readonly id: string;
  readonly host: string;
  /** Absolute, on that host. */
  readonly path: string;
}

/** The identity of the state database, made with its tables. @throws when the row was deleted */
export async function readDatabaseId(pool: Pick<pg.Pool, 'query'>): Promise<string> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM m10bot.identity');
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the state database has lost the row of m10bot.identity');
  return id;
}

/** Notes that a replica works in a directory; the path may change, as when a volume is mounted elsewhere. */
export async function registerDirectory(pool: Pick<pg.Pool, 'query'>, at: KnownDirectory): Promise<void> {
  await pool.query(
    `INSERT INTO m10bot.directories (id, host, path) VALUES ($1, $2, $3)
     ON CONFLICT (id) DO UPDATE SET host = excluded.host, path = excluded.path, started_at = clock_timestamp()`,
    [at.id, at.host, at.path],
  );
}

/** The other directories that were used at this place, newest first: what was here before has been replaced. */
export async function directoriesBefore(
  pool: Pick<pg.Pool, 'query'>,
  at: KnownDirectory,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM m10bot.directories WHERE host = $1 AND path = $2 AND id <> $3 ORDER BY started_at DESC',
    [at.host, at.path, at.id],
  );
  return rows.map(({ id }) => id);
}
