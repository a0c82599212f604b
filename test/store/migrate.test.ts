import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MigrationError } from '../../src/store/errors.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { emptyDatabase } from './state.js';

let database: Awaited<ReturnType<typeof emptyDatabase>>;
let folder: string;
beforeEach(async () => {
  database = await emptyDatabase();
  folder = await mkdtemp(join(tmpdir(), 'm10bot-migrations-'));
  await cp('migrations', folder, { recursive: true });
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

async function recorded(): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    'SELECT name FROM m10bot.migrations ORDER BY number',
  );
  return rows.map((row) => row.name);
}

describe('migrate', () => {
  it('applies each file once, also when four replicas start together', async () => {
    const files = (await readdir(folder)).sort();
    const pools = Array.from({ length: 4 }, () =>
      createPool({ url: database.url, max: 1, applicationName: 'replica', onError: () => {} }),
    );
    const applied = await Promise.all(pools.map((pool) => migrate(pool, folder)));
    await Promise.all(pools.map((pool) => pool.end()));
    expect(applied.flat().sort()).toEqual(files);
    expect(await recorded()).toEqual(files);
    expect(await migrate(database.pool, folder)).toEqual([]);
  });

  it('applies only what is new', async () => {
    await migrate(database.pool, folder);
    const number = String((await readdir(folder)).length + 1).padStart(3, '0');
    await writeFile(join(folder, `${number}_more.sql`), 'CREATE TABLE m10bot.more (); SELECT 1;');
    expect(await migrate(database.pool, folder)).toEqual([`${number}_more.sql`]);
  });

  it('refuses a released file that was changed', async () => {
    await migrate(database.pool, folder);
    await writeFile(join(folder, '001_leases.sql'), 'SELECT 1');
    await expect(migrate(database.pool, folder)).rejects.toThrow(
      'migration 001_leases.sql was changed after it was applied',
    );
  });

  it('refuses a database that is newer than the release', async () => {
    await migrate(database.pool, folder);
    await rm(join(folder, (await readdir(folder)).sort().at(-1) ?? ''));
    await expect(migrate(database.pool, folder)).rejects.toThrow('start the newer release');
  });

  it('rolls a failing file back with its record', async () => {
    await migrate(database.pool, folder);
    const before = await recorded();
    const number = String(before.length + 1).padStart(3, '0');
    await writeFile(join(folder, `${number}_bad.sql`), 'CREATE TABLE m10bot.half (); SELECT 1 / 0;');
    const failed = migrate(database.pool, folder);
    await expect(failed).rejects.toThrow(MigrationError);
    await expect(failed).rejects.toThrow(
      `migration ${number}_bad.sql failed and was rolled back: division by zero`,
    );
    expect(await recorded()).toEqual(before);
    const { rows } = await database.pool.query(`SELECT to_regclass('m10bot.half') AS half`);
    expect(rows).toEqual([{ half: null }]);
  });

  it('refuses a gap in the numbers before it touches the database', async () => {
    await rm(join(folder, '001_leases.sql'));
    await expect(migrate(database.pool, folder)).rejects.toThrow('expected a name that starts with 001_');
    const { rows } = await database.pool.query(`SELECT to_regnamespace('m10bot') AS schema`);
    expect(rows).toEqual([{ schema: null }]);
  });
});
