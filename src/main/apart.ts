import pg from 'pg';
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
  const same = found.filter((f) => f.key !== null && f.key === own);
  if (same.length === 0) return;
  throw new ConfigError(
    same.map(
      ({ target }) =>
        `environment STATE_DATABASE_URL: expected a database apart from the targets, found the one of target ${target.name}; a restore there would erase the record of the restore`,
    ),
  );
}

async function targetKey(target: TargetConfig): Promise<string | null> {
  const client = new pg.Client({
    connectionString: target.databaseUrl,
    application_name: 'm10bot-start',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return key((await client.query(identity)).rows[0]);
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function key(row: unknown): string | null {
  return typeof row === 'object' && row !== null ? JSON.stringify(row) : null;
}
