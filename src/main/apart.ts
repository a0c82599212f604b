import type pg from 'pg';
import { attempt } from '../clients/postgres/failure.js';
import { connect } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import { ConfigError } from '../config.js';

const timeoutMs = 3_000;
const identity = `SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
  (SELECT oid FROM pg_database WHERE datname = current_database())::text AS oid`;

/**
 * Refuses a state database that is one of the targets: a restore of the target would erase the record of the
 * restore. A target that cannot be reached now is left to the checks.
 * @throws ConfigError
 */
export async function assertStateIsApart(
  pool: Pick<pg.Pool, 'query'>,
  targets: readonly TargetConfig[],
): Promise<void> {
  const own = key((await pool.query(identity)).rows[0]);
  const found = await Promise.all(targets.map(async (target) => ({ target, key: await targetKey(target) })));
  const [first, ...others] = found.flatMap(({ target, key: its }) =>
    its === null || its !== own
      ? []
      : [
          `environment STATE_DATABASE_URL: expected a database apart from the targets, found the one of target ${target.name}; a restore there would erase the record of the restore`,
        ],
  );
  if (first !== undefined) throw new ConfigError([first, ...others]);
}

async function targetKey(target: TargetConfig): Promise<string | null> {
  const connection = await connect({
    url: target.databaseUrl,
    applicationName: 'm10bot-start',
    statementTimeoutMs: timeoutMs,
    lockTimeoutMs: timeoutMs,
    connectTimeoutMs: timeoutMs,
  });
  if (connection.kind !== 'connected') return null;
  const { database } = connection;
  try {
    const read = await attempt(() => database.query(identity));
    return read.kind === 'ok' ? key(read.value.rows[0]) : null;
  } finally {
    await database.close();
  }
}

function key(row: unknown): string | null {
  return typeof row === 'object' && row !== null ? JSON.stringify(row) : null;
}
