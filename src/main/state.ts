import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { whyUnwritable } from '../clients/disk.js';
import { driverFor } from '../clients/postgres/connecting.js';
import { describeFailure } from '../clients/postgres/failure.js';
import { startServer } from '../clients/process/server.js';
import { type Config, ConfigError } from '../config.js';
import { StateUnavailable } from '../store/errors.js';
import { migrate } from '../store/migrate.js';
import { createPool } from '../store/pool.js';
import { bindDirectory, type Place } from './directory.js';

export interface StateDatabase {
  /** For further connections to it. */
  readonly url: string | pg.ClientConfig;
  readonly pool: pg.Pool;
  /** The state directory, bound to this database. */
  readonly place: Place;
  close(): Promise<void>;
}

/** Connections of one replica: commands in hand, the runner, the publisher. */
const poolSize = 16;

/**
 * Opens the bot's own database and brings its tables to this release. Without a URL an embedded PostgreSQL
 * under the state directory is started, or taken over when a bot that was killed left it running.
 * @param warn gets what somebody should know of the directory
 * @param beforeTables looks at the database before anything is written to it, and may refuse it by throwing
 */
export async function openState(
  config: Pick<Config, 'state'>,
  onError: (error: Error) => void,
  warn: (message: string) => void,
  beforeTables: (pool: pg.Pool) => Promise<void> = async () => undefined,
): Promise<StateDatabase> {
  const { databaseUrl, directory } = config.state;
  await makeStateDirectory(directory);
  const embedded = databaseUrl === null ? await startOwn(directory) : null;
  const url = databaseUrl === null ? (embedded?.url ?? '') : await stateDriver(databaseUrl);
  const pool = createPool({ url, max: poolSize, applicationName: 'm10bot-state', onError });
  let place: Place;
  try {
    await beforeTables(pool);
    await migrate(pool, migrationsDirectory());
    place = await bindDirectory(directory, pool, warn);
  } catch (error) {
    await pool.end();
    await embedded?.stop();
    throw stateTrouble(error);
  }
  return {
    url,
    pool,
    place,
    async close() {
      await pool.end();
      await embedded?.stop();
    },
  };
}

/** Where heads of the journal are noted outside the database. */
export function headsPath({ state }: Pick<Config, 'state'>): string {
  return join(state.directory, 'heads.jsonl');
}

/**
 * Makes the state directory, and proves that files can be written there: full or read-only, it would be found out about
 * in the middle of the first change.
 * @throws ConfigError
 */
async function makeStateDirectory(directory: string): Promise<void> {
  const why = await mkdir(directory, { recursive: true, mode: 0o711 }).then(
    () => whyUnwritable(directory),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (why === null) return;
  throw new ConfigError([
    `m10.yml state.directory: expected a directory that files can be written to, found ${directory}: ${why}`,
  ]);
}

/** How long one try to reach the state database takes, ms. */
const reachMs = 10_000;

/**
 * What the driver is given for STATE_DATABASE_URL, whose parameters it would read in its own way.
 * @throws ConfigError when the URL cannot be used as it is
 * @throws StateUnavailable when the server cannot be reached by it, or lets nobody in
 */
export async function stateDriver(databaseUrl: string): Promise<string | pg.ClientConfig> {
  const reached = await driverFor(databaseUrl, reachMs);
  if (reached.kind === 'reached') return reached.driver;
  if (reached.cause === 'url' || reached.cause === 'tls') {
    throw new ConfigError([`environment STATE_DATABASE_URL: ${reached.message}`]);
  }
  throw new StateUnavailable(unavailable(reached.message));
}

/** What went wrong with the state database in the words of whoever can mend it; any other error as it is. */
export function stateTrouble(error: unknown): unknown {
  const failure = describeFailure(error);
  return failure === null ? error : new StateUnavailable(unavailable(failure.message), { cause: error });
}

const unavailable = (why: string) =>
  `The state database cannot be used: ${why.replace(/\.?$/, '.')} Start it, or correct STATE_DATABASE_URL; \`m10bot doctor\` looks at it more closely.`;

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
export function migrationsDirectory(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const compiled = /[\\/]dist[\\/]src[\\/]main[\\/]$/.test(here);
  return join(here, ...(compiled ? ['..', '..', '..'] : ['..', '..']), 'migrations');
}
