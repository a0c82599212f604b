import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { startServer } from '../clients/process/server.js';
import type { Config } from '../config.js';
import { stateDriver, stateTrouble } from '../main/state.js';
import { clusterFolder } from '../store/embeddedCluster.js';
import { createPool } from '../store/pool.js';

const applicationName = 'm10bot-audit';

export type StateForReading =
  | { readonly kind: 'open'; readonly pool: pg.Pool; close(): Promise<void> }
  | { readonly kind: 'nothing'; readonly why: string };

/**
 * Opens the bot's database to read it. Nothing is created or migrated, and an embedded server that a bot uses
 * is left running.
 */
export async function openStateForReading({ state }: Pick<Config, 'state'>): Promise<StateForReading> {
  const server = state.databaseUrl === null ? await embeddedServer(state.directory) : null;
  if (server === undefined) {
    return {
      kind: 'nothing',
      why: `there is no state in ${state.directory} yet; the bot has not been started`,
    };
  }
  const url = state.databaseUrl === null ? (server?.url ?? '') : await stateDriver(state.databaseUrl);
  const pool = createPool({
    url,
    max: 2,
    applicationName,
    // The query in hand fails with the same error.
    onError: () => {},
  });
  const close = async (): Promise<void> => {
    const usedByBot = server === null || server.reused || (await othersConnected(pool));
    await pool.end();
    if (!usedByBot) await server?.stop();
  };
  try {
    const { rows } = await pool.query<{ there: boolean }>(
      "SELECT to_regclass('m10bot.events') IS NOT NULL AS there",
    );
    if (rows[0]?.there === true) return { kind: 'open', pool, close };
    await close();
    return {
      kind: 'nothing',
      why: 'the state database has no journal; the bot has not been started with it',
    };
  } catch (error) {
    await close().catch(() => undefined);
    throw stateTrouble(error);
  }
}

/** Undefined when no bot has ever made one here. */
async function embeddedServer(directory: string) {
  const dataDirectory = join(directory, 'postgres');
  if ((await stat(clusterFolder(dataDirectory)).catch(() => undefined)) === undefined) return undefined;
  const { startEmbeddedPostgres } = await import('../store/embedded.js');
  return startEmbeddedPostgres({
    dataDirectory,
    logPath: join(directory, 'postgres.log'),
    start: startServer,
  });
}

/** A bot that was started meanwhile has taken the server over. */
async function othersConnected(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ others: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND application_name <> $1) AS others`,
    [applicationName],
  );
  return rows[0]?.others !== false;
}
