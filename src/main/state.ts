import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { startServer } from '../clients/process/server.js';
import type { Config } from '../config.js';
import { migrate } from '../store/migrate.js';
import { createPool } from '../store/pool.js';

export interface StateDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/** Connections of one replica: commands in hand, the runner, the publisher. */
const poolSize = 16;

/**
 * Opens the bot's own database and brings its tables to this release. Without a URL an embedded PostgreSQL
 * under the state directory is started, or taken over when a bot that was killed left it running.
 * @param beforeTables looks at the database before anything is written to it, and may refuse it by throwing
 */
export async function openState(
  config: Pick<Config, 'state'>,
  onError: (error: Error) => void,
  beforeTables: (pool: pg.Pool) => Promise<void> = async () => undefined,
): Promise<StateDatabase> {
  const { databaseUrl, directory } = config.state;
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const embedded = databaseUrl === null ? await startOwn(directory) : null;
  const url = databaseUrl ?? embedded?.url ?? '';
  const pool = createPool({ url, max: poolSize, applicationName: 'm10bot-state', onError });
  try {
    await beforeTables(pool);
    await migrate(pool, migrationsDirectory());
  } catch (error) {
    await pool.end();
    await embedded?.stop();
    throw error;
  }
  return {
    url,
    pool,
    async close() {
      await pool.end();
      await embedded?.stop();
    },
  };
}

async function startOwn(directory: string) {
  // Loaded only here: a bot with a database of its own has no use for it.
  const { startEmbeddedPostgres } = await import('../store/embedded.js');
  return startEmbeddedPostgres({
    dataDirectory: join(directory, 'postgres'),
    logPath: join(directory, 'postgres.log'),
    start: startServer,
  });
}

/** The folder `migrations`, which lies beside `src` in the sources and beside `dist` once compiled. */
function migrationsDirectory(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const compiled = /[\\/]dist[\\/]src[\\/]main[\\/]$/.test(here);
  return join(here, ...(compiled ? ['..', '..', '..'] : ['..', '..']), 'migrations');
}
