import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ConfigError } from '../../src/config.js';
import { bindDirectory } from '../../src/main/directory.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { freshDatabase } from '../support/database.js';

/** A state database with its tables, as a release makes it. */
async function stateDatabase(name: string) {
  const database = await freshDatabase(name);
  const pool = createPool({ url: database.url, max: 4, applicationName: 'm10bot-test', onError: () => {} });
  await migrate(pool, 'migrations');
  return {
    pool,
    async drop() {
      await pool.end();
      await database.drop();
    },
  };
}

let first: Awaited<ReturnType<typeof stateDatabase>>;
let second: Awaited<ReturnType<typeof stateDatabase>>;
const folders: string[] = [];
beforeAll(async () => {
  first = await stateDatabase('directory_one');
  second = await stateDatabase('directory_two');
});
afterAll(async () => {
  await first?.drop();
  await second?.drop();
  for (const folder of folders) await rm(folder, { recursive: true });
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'm10-directory-'));
  folders.push(directory);
});

const warned: string[] = [];
const bind = (pool: pg.Pool, at = directory) => bindDirectory(at, pool, (message) => warned.push(message));

async function problemsOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof ConfigError ? error.problems.join('\n') : expect.unreachable(String(error));
}

test('a directory keeps its identity and its database over restarts', async () => {
  const made = await bind(first.pool);
  expect(await bind(first.pool)).toEqual(made);
  const { rows } = await first.pool.query('SELECT path FROM m10bot.directories WHERE id = $1', [
    made.directory,
  ]);
  expect(rows).toEqual([{ path: directory }]);
});

test('replicas that start at once in one directory agree on its identity', async () => {
  const all = await Promise.all([1, 2, 3, 4].map(() => bind(first.pool)));
  expect(new Set(all.map((place) => place.directory)).size).toBe(1);
  expect(await readdir(directory)).toEqual(['identity.json']);
});

test('the directory of another state database is refused, with both named and what can be done', async () => {
  await bind(first.pool);
  const kept = await readFile(join(directory, 'identity.json'), 'utf8');
  const told = await problemsOf(bind(second.pool));
  const ids = await Promise.all(
    [first, second].map(async ({ pool }) => (await pool.query('SELECT id FROM m10bot.identity')).rows[0].id),
  );
  for (const id of ids) expect(told).toContain(id);
  expect(told).toContain('belongs to another state database');
  expect(told).toContain('set state.directory to an empty directory');
  expect(await readFile(join(directory, 'identity.json'), 'utf8')).toBe(kept);
  const { rowCount } = await second.pool.query('SELECT FROM m10bot.directories WHERE path = $1', [directory]);
  expect(rowCount).toBe(0);
});

test('an identity that cannot be read is not made anew', async () => {
  await writeFile(join(directory, 'identity.json'), '{"directory":"half');
  expect(await problemsOf(bind(first.pool))).toContain('cannot be read');
});

test('a directory that was replaced at its place is a new one, and it is told', async () => {
  const before = await bind(first.pool);
  await rm(join(directory, 'identity.json'));
  warned.length = 0;
  const after = await bind(first.pool);
  expect(after.directory).not.toBe(before.directory);
  expect(warned).toEqual([expect.stringContaining('was replaced')]);
});
