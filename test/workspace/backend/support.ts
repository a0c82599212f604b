import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { inject } from 'vitest';
import { layoutBackend } from '../../../workspace/backend/layout.js';
import type { BackendVariant } from '../../../workspace/backend/variants.js';

/** What a child sees besides PATH: nothing is inherited by accident. */
export type ChildEnvironment = {
  readonly DATABASE_URL?: string;
  readonly REDIS_URL?: string;
  readonly PGOPTIONS?: string;
  readonly M10_BACKEND_SLEEP?: string;
};

export interface Backend {
  readonly directory: string;
  readonly commit: string;
  alembic(args: readonly string[], env: ChildEnvironment): Promise<Outcome>;
  /** Runs `python3 -m`. */
  python(args: readonly string[], env: ChildEnvironment): Promise<Outcome>;
  /** The same without waiting for the end. */
  start(program: string, args: readonly string[], env: ChildEnvironment): ReturnType<typeof child>;
  remove(): Promise<void>;
}

export interface Outcome {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function child(program: string, args: readonly string[], cwd: string, env: ChildEnvironment) {
  return execa(program, args, {
    cwd,
    extendEnv: false,
    env: { PATH: inject('toolPath'), PYTHONPATH: '.', PYTHONDONTWRITEBYTECODE: '1', ...env },
    reject: false,
  });
}

async function outcome(running: ReturnType<typeof child>): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await running;
  return { exitCode, stdout, stderr };
}

/** Lays a variant out in a temporary directory. */
export async function temporaryBackend(variant: BackendVariant = 'good'): Promise<Backend> {
  const directory = await mkdtemp(join(tmpdir(), 'm10-backend-'));
  const { commit } = await layoutBackend({ directory, variant });
  return {
    directory,
    commit,
    alembic: (args, env) => outcome(child('alembic', args, directory, env)),
    python: (args, env) => outcome(child('python3', ['-m', ...args], directory, env)),
    start: (program, args, env) => child(program, args, directory, env),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

export interface Database {
  /** Rows as arrays of values, in the order of the columns. */
  rows(sql: string, values?: readonly unknown[]): Promise<unknown[][]>;
  client: pg.Client;
  end(): Promise<void>;
}

/** A connection for a test. */
export async function connect(url: string): Promise<Database> {
  const client = new pg.Client({ connectionString: url });
  // A test may drop the database or end the session on purpose.
  client.on('error', () => undefined);
  await client.connect();
  return {
    client,
    rows: async (sql, values = []) =>
      (await client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' })).rows,
    end: () => client.end(),
  };
}

/** The revision in the database, read without Alembic. */
export async function revision(db: Database): Promise<unknown> {
  return (await db.rows('select version_num from alembic_version')).flat().join(' ');
}

/** Tables, views and functions of the schema m10_recovery, sorted. */
export async function objects(db: Database): Promise<unknown[]> {
  const found = await db.rows(`
    select relname::text from pg_class
    where relnamespace = 'm10_recovery'::regnamespace and relkind in ('r', 'v', 'm')
    union all
    select proname || '()' from pg_proc where pronamespace = 'm10_recovery'::regnamespace`);
  return found.flat().sort();
}

export const objectsBefore = [
  'matview_freshness',
  'matview_refresh_log',
  'mv_top_pending',
  'refresh_mv_tracked()',
  'work_queue',
];

export const objectsAfter = [
  ...objectsBefore,
  'acquire_lock()',
  'archive_dead_letter()',
  'claim_outbox_events()',
  'cleanup_expired_locks()',
  'complete_outbox_event()',
  'dead_letter_archive',
  'distributed_locks',
  'extend_lock()',
  'outbox',
  'publish_outbox()',
  'record_replay()',
  'release_lock()',
  'replay_log',
].sort();
