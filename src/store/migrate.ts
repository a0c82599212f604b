import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { MigrationError } from './errors.js';

/** Any number will do, as long as every replica and release uses the same one. */
const LOCK = 1_022_022;

/** A migration may rewrite a table: it gets longer than the pool's other queries, in ms. */
const MIGRATION_TIMEOUT = 600_000;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/**
 * Brings the bot's own tables (schema `m10bot`) to this release: applies the numbered SQL files of a folder
 * once each, in order, each in its own transaction. Several replicas may do this at the same time.
 *
 * @returns the names of the files that this call applied.
 * @throws MigrationError when a released file was changed, or the database is newer than these files.
 */
export async function migrate(pool: pg.Pool, directory: string): Promise<string[]> {
  const migrations = await load(directory);
  const applied: string[] = [];
  for (;;) {
    const name = await applyNext(pool, migrations);
    if (name === undefined) return applied;
    applied.push(name);
  }
}

/** One transaction: everything from the lock to the commit, so it also works behind a transaction pooler. */
async function applyNext(pool: pg.Pool, migrations: readonly Migration[]): Promise<string | undefined> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    // Waits for a replica that is migrating; without it two could create the schema at once and collide.
    await client.query(patient('SELECT pg_advisory_xact_lock($1)', [LOCK]));
    const next = pending(migrations, await done(client));
    if (next !== undefined) {
      await client.query('INSERT INTO m10bot.migrations (number, name, checksum) VALUES ($1, $2, $3)', [
        next.number,
        next.name,
        next.checksum,
      ]);
      await client.query(patient(next.sql)).catch((cause: unknown) => {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new MigrationError(`migration ${next.name} failed and was rolled back: ${why}`, { cause });
      });
    }
    await client.query('COMMIT');
    return next?.name;
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // Closing the connection is a rollback that also works when the connection is the problem.
    client.release(failure);
  }
}

/** A query with a timeout of its own, an option of pg that its types leave out. */
function patient(text: string, values?: unknown[]) {
  return { text, query_timeout: MIGRATION_TIMEOUT, ...(values && { values }) };
}

async function done(client: pg.PoolClient): Promise<{ number: number; name: string; checksum: string }[]> {
  const { rows } = await client.query<{ encoding: string; ready: boolean }>(
    `SELECT current_setting('server_encoding') AS encoding, to_regclass('m10bot.migrations') IS NOT NULL AS ready`,
  );
  const encoding = rows[0]?.encoding;
  if (encoding !== 'UTF8') {
    throw new MigrationError(`the state database is encoded in ${encoding}; create one with ENCODING 'UTF8'`);
  }
  if (rows[0]?.ready !== true) {
    await client.query(`CREATE SCHEMA IF NOT EXISTS m10bot;
      CREATE TABLE m10bot.migrations (
        number integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`);
    return [];
  }
  const found = await client.query<{ number: number; name: string; checksum: string }>(
    'SELECT number, name, checksum FROM m10bot.migrations ORDER BY number',
  );
  return found.rows;
}

function pending(
  migrations: readonly Migration[],
  applied: readonly { number: number; name: string; checksum: string }[],
): Migration | undefined {
  for (const row of applied) {
    const file = migrations.find((migration) => migration.number === row.number);
    if (file === undefined) {
      throw new MigrationError(
        `the state database has migration ${row.name}, which this release does not know: start the newer release`,
      );
    }
    if (file.checksum !== row.checksum) {
      throw new MigrationError(
        `migration ${file.name} was changed after it was applied: restore the released file, put changes in a new one`,
      );
    }
  }
  return migrations[applied.length];
}

async function load(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(/^(\d{3})_[a-z0-9_]+\.sql$/.exec(name)?.[1]);
      if (number !== index + 1) {
        throw new MigrationError(
          `${join(directory, name)}: expected a name that starts with ${String(index + 1).padStart(3, '0')}_`,
        );
      }
      const sql = await readFile(join(directory, name), 'utf8');
      // A checkout on another system may change line ends and nothing else.
      const checksum = createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex');
      return { number, name, sql, checksum };
    }),
  );
}
