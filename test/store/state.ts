import type pg from 'pg';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { freshDatabase } from '../support/database.js';

export interface StateDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Closes the pool and removes the database with whatever is still connected. */
  drop(): Promise<void>;
}

/** An empty database with a pool. */
export async function emptyDatabase(): Promise<StateDatabase> {
  const { url, drop } = await freshDatabase('store');
  const pool = createPool({ url, max: 10, applicationName: 'm10bot-test', onError: () => {} });
  return {
    url,
    pool,
    async drop() {
      await pool.end();
      await drop();
    },
  };
}

/** The same with the bot's own tables. */
export async function stateDatabase(): Promise<StateDatabase> {
  const database = await emptyDatabase();
  await migrate(database.pool, 'migrations');
  return database;
}
