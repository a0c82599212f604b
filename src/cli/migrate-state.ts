import { type Config, ConfigError } from '../config.js';
import { migrationsDirectory, stateDriver } from '../main/state.js';
import { migrate } from '../store/migrate.js';
import { createPool } from '../store/pool.js';
import type { Output } from './output.js';

/**
 * Brings the bot's own tables to this release with the rights of whoever STATE_DATABASE_URL names: the owner of the
 * tables, where the bot's role is another one.
 * @throws ConfigError without a state database of its own; MigrationError
 */
export async function migrateState({ state }: Pick<Config, 'state'>, output: Output): Promise<number> {
  if (state.databaseUrl === null) {
    throw new ConfigError([
      'environment STATE_DATABASE_URL: expected the state database; the embedded one is migrated at the start',
    ]);
  }
  const url = await stateDriver(state.databaseUrl);
  const pool = createPool({ url, max: 1, applicationName: 'm10bot-migrate', onError: () => {} });
  try {
    const applied = await migrate(pool, migrationsDirectory());
    for (const name of applied) output.line(`applied ${name}`);
    output.line(
      applied.length === 0 ? 'OK nothing to do' : 'OK run deploy/state-role.sql again for new tables',
    );
    return 0;
  } finally {
    await pool.end();
  }
}
