import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import { ConfigError } from '../config.js';
import { directoriesBefore, readDatabaseId, registerDirectory } from '../store/identity.js';

/** The file in the state directory that names the directory and the state database it belongs to. */
const NAME = 'identity.json';

/** What can be done when the file is cut or may not be read. */
export const unreadableTodo = 'restore the file, or set state.directory to an empty directory';

const Bound = z.object({ directory: z.uuid(), database: z.uuid(), boundAt: z.iso.datetime() });
export type Bound = z.infer<typeof Bound>;

/** Where this replica keeps the records of what it starts. */
export interface Place {
  /** Identity of the state directory, kept in the directory itself. */
  readonly directory: string;
  readonly host: string;
}

/**
 * Binds the state directory and the state database to each other, or holds them against each other when they are
 * bound already: what lies in the directory is believed by the numbers that this database gave out.
 * @param warn gets what somebody should know and what does not stop the bot
 * @throws ConfigError when the directory belongs to another state database
 */
export async function bindDirectory(
  directory: string,
  pool: Pick<pg.Pool, 'query'>,
  warn: (message: string) => void,
): Promise<Place> {
  const path = resolve(directory);
  const database = await readDatabaseId(pool);
  const bound = (await readBound(path)) ?? (await bind(path, database));
  const problem = foreignProblem(path, bound, database);
  if (problem !== null) throw new ConfigError([`${problem.facts}: ${problem.todo}`]);
  const here = { id: bound.directory, host: hostname(), path };
  const before = await directoriesBefore(pool, here);
  await registerDirectory(pool, here);
  if (before.length > 0) {
    warn(
      `state directory ${path} was replaced: changes that ran when the former one was in use are unknown until somebody has checked them`,
    );
  }
  return { directory: bound.directory, host: here.host };
}

/** Why a directory must not be used with a database, and what can be done; null when they belong together. */
export function foreignProblem(
  path: string,
  bound: Bound,
  database: string,
): { readonly facts: string; readonly todo: string } | null {
  if (bound.database === database) return null;
  return {
    facts: `state directory ${path} belongs to another state database: it is bound to ${bound.database} since ${bound.boundAt}, and the database in use is ${database}`,
    todo: `its records are of runs of that database. Configure the database that it is bound to, or set state.directory to an empty directory. If that database is gone for good, check first that none of its changes still runs, then move ${path} away`,
  };
}

/**
 * What a state directory says it belongs to; null when it is not bound yet.
 * @throws ConfigError when the file cannot be read
 */
export async function readBound(directory: string): Promise<Bound | null> {
  const file = join(directory, NAME);
  try {
    return Bound.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    const why = error instanceof Error && 'code' in error ? error.message : 'it was changed or cut';
    throw new ConfigError([
      `${file} cannot be read (${why}), so nothing tells which state database the directory belongs to: ${unreadableTodo}`,
    ]);
  }
}

/** Linked into place whole, so that of two replicas that start at once both keep what the first one wrote. */
async function bind(path: string, database: string): Promise<Bound> {
  const bound: Bound = { directory: randomUUID(), database, boundAt: new Date().toISOString() };
  const part = join(path, `${NAME}.${bound.directory}`);
  await writeFile(part, `${JSON.stringify(bound)}\n`, { mode: 0o600, flush: true });
  try {
    await link(part, join(path, NAME));
    return bound;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return (await readBound(path)) ?? bound;
  } finally {
    await rm(part, { force: true });
  }
}
