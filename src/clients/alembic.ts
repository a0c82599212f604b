import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  announcedSteps,
  firstTokens,
  parseRevisionEntries,
  type RevisionEntry,
  type RevisionStep,
} from './alembic/output.js';
import { type AlembicTrouble, troubleOf } from './alembic/trouble.js';
import { readingId } from './process/ids.js';
import type { Processes, ProcessResult } from './process.js';
import { splitStatements, type TransactionShape, transactionShape } from './sql.js';

export interface AlembicOptions {
  readonly processes: Processes;
  /** The project: the folder with alembic.ini. */
  readonly directory: string;
  /** The target's environment, PATH included; DATABASE_URL, PGAPPNAME and PGOPTIONS are added here. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  /** Shows in pg_stat_activity, by which the backend of a migration is found again. */
  readonly applicationName: string;
  /** Names the output folder of the operation, for instance `run-7/production.apply/1`. */
  readonly id: string;
  /** Milliseconds for commands that only read; 60,000 when not given. */
  readonly readTimeoutMs?: number;
}

export interface MigrateOptions {
  /** Milliseconds that a statement waits for a lock. */
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs?: number;
  /** Milliseconds for the whole program. */
  readonly timeoutMs: number;
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

export type CurrentResult =
  | { readonly kind: 'at'; readonly revision: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'several'; readonly revisions: readonly string[] }
  | AlembicTrouble;

export type MigrateResult =
  /** Exit code 0. Nothing in `ran` means that there was nothing to do, which Alembic does not tell otherwise. */
  | { readonly kind: 'done'; readonly ran: readonly RevisionStep[]; readonly process: ProcessResult }
  /** What was announced before the failure; its transaction was rolled back as far as it was one. */
  | (AlembicTrouble & { readonly announced: readonly RevisionStep[] });

export type SqlResult =
  | {
      readonly kind: 'sql';
      readonly sql: string;
      /** What would run, in order. */
      readonly steps: readonly RevisionStep[];
      readonly shape: TransactionShape;
    }
  | AlembicTrouble;

export interface RevisionScript extends RevisionEntry {
  /** Of the revision's file; modules that it imports are not in it. */
  readonly sha256: string;
}

export interface Alembic {
  /** What `alembic current` says. Reading the table through the connection is far quicker: readRevision. */
  current(signal?: AbortSignal): Promise<CurrentResult>;
  heads(): Promise<{ readonly kind: 'heads'; readonly revisions: readonly string[] } | AlembicTrouble>;
  /** The revisions after `from` (null: from the beginning) up to `to`, in the order in which they would run. */
  history(
    from: string | null,
    to: string,
  ): Promise<{ readonly kind: 'history'; readonly revisions: readonly RevisionScript[] } | AlembicTrouble>;
  upgrade(to: string, options: MigrateOptions): Promise<MigrateResult>;
  downgrade(to: string, options: MigrateOptions): Promise<MigrateResult>;
  /** The SQL that an upgrade would run, without a connection. `from` null: from the beginning. */
  sql(from: string | null, to: string): Promise<SqlResult>;
  /** The SQL that a downgrade would run, without a connection. */
  downgradeSql(from: string, to: string): Promise<SqlResult>;
  script(
    revision: string,
  ): Promise<{ readonly kind: 'script'; readonly script: RevisionScript } | AlembicTrouble>;
  /** The process id under which `upgrade` or `downgrade` runs, to look for it after a crash. */
  processId(operation: 'upgrade' | 'downgrade'): string;
}

/** SQL of a plan is read back whole up to this size. */
const SQL_BYTES = 16 * 1_024 * 1_024;

/** Runs Alembic on one project and database. Answers come from its output, since its exit codes prove little. */
export function createAlembic(options: AlembicOptions): Alembic {
  const { processes, directory, id } = options;

  function environment(settings: string): Record<string, string> {
    const pgOptions = [options.env.PGOPTIONS, settings].filter((part) => part).join(' ');
    return {
      ...options.env,
      DATABASE_URL: options.databaseUrl,
      PGAPPNAME: options.applicationName,
      ...(pgOptions === '' ? {} : { PGOPTIONS: pgOptions }),
    };
  }

  async function read(argv: readonly string[], maxOutputBytes?: number, signal?: AbortSignal) {
    const result = await processes.run({
      id: readingId(id, argv[0] ?? 'read'),
      argv: ['alembic', ...argv],
      cwd: directory,
      env: environment(''),
      timeoutMs: options.readTimeoutMs ?? 60_000,
      maxOutputBytes,
      signal,
    });
    const trouble = troubleOf(result);
    if (trouble !== null) return trouble;
    return { kind: 'stdout' as const, stdout: result.kind === 'exited' ? result.stdout : '' };
  }

  async function migrate(
    direction: 'upgrade' | 'downgrade',
    to: string,
    given: MigrateOptions,
  ): Promise<MigrateResult> {
    const settings = [`-c lock_timeout=${Math.round(given.lockTimeoutMs)}`];
    if (given.statementTimeoutMs !== undefined) {
      settings.push(`-c statement_timeout=${Math.round(given.statementTimeoutMs)}`);
    }
    const result = await processes.run({
      id: `${id}/${direction}`,
      argv: ['alembic', direction, revisionArgument(to)],
      cwd: directory,
      env: environment(settings.join(' ')),
      timeoutMs: given.timeoutMs,
      graceMs: given.graceMs,
      signal: given.signal,
    });
    const steps = result.kind === 'not_started' ? [] : announcedSteps(result.stderr);
    const trouble = troubleOf(result);
    return trouble === null
      ? { kind: 'done', ran: steps, process: result }
      : { ...trouble, announced: steps };
  }

  async function offline(direction: 'upgrade' | 'downgrade', range: string): Promise<SqlResult> {
    const result = await read([direction, range, '--sql'], SQL_BYTES);
    if (result.kind !== 'stdout') return result;
    const sql = result.stdout;
    return { kind: 'sql', sql, steps: announcedSteps(sql), shape: transactionShape(splitStatements(sql)) };
  }

  return {
    async current(signal) {
      const result = await read(['current'], undefined, signal);
      if (result.kind !== 'stdout') return result;
      const revisions = firstTokens(result.stdout);
      const [revision] = revisions;
      if (revision === undefined) return { kind: 'none' };
      return revisions.length === 1 ? { kind: 'at', revision } : { kind: 'several', revisions };
    },
    async heads() {
      const result = await read(['heads']);
      return result.kind === 'stdout' ? { kind: 'heads', revisions: firstTokens(result.stdout) } : result;
    },
    async history(from, to) {
      const range = `${from === null ? 'base' : revisionArgument(from)}:${revisionArgument(to)}`;
      const result = await read(['history', '--verbose', '-r', range]);
      if (result.kind !== 'stdout') return result;
      const entries = withoutStart(parseRevisionEntries(result.stdout), from).toReversed();
      return { kind: 'history', revisions: await Promise.all(entries.map(withDigest)) };
    },
    upgrade: (to, given) => migrate('upgrade', to, given),
    downgrade: (to, given) => migrate('downgrade', to, given),
    sql: (from, to) =>
      offline(
        'upgrade',
        from === null ? revisionArgument(to) : `${revisionArgument(from)}:${revisionArgument(to)}`,
      ),
    downgradeSql: (from, to) => offline('downgrade', `${revisionArgument(from)}:${revisionArgument(to)}`),
    async script(revision) {
      const result = await read(['show', revisionArgument(revision)]);
      if (result.kind !== 'stdout') return result;
      const [entry] = parseRevisionEntries(result.stdout);
      if (entry === undefined) throw new Error(`alembic show printed no revision for ${revision}.`);
      return { kind: 'script', script: await withDigest(entry) };
    },
    processId: (operation) => `${id}/${operation}`,
  };
}

async function withDigest(entry: RevisionEntry): Promise<RevisionScript> {
  return {
    ...entry,
    sha256: createHash('sha256')
      .update(await readFile(entry.path))
      .digest('hex'),
  };
}

/** The range of `history` includes the revision it starts from, which would not run. */
function withoutStart(entries: readonly RevisionEntry[], from: string | null): readonly RevisionEntry[] {
  if (from === null) return entries;
  const exact = entries.some((entry) => entry.revision === from);
  return entries.filter(({ revision }) => (exact ? revision !== from : !revision.startsWith(from)));
}

/** @throws for a relative step such as -1, which means another thing each time and reads like an option. */
function revisionArgument(revision: string): string {
  if (/^[\w][\w.@]*$/.test(revision)) return revision;
  throw new Error(`A revision is a name; found ${JSON.stringify(revision)}.`);
}
