import { join } from 'node:path';
import {
  type ExpectedDatabase,
  type MarkedTable,
  type ObserveRequest,
  observedEnvironment,
  REPORT_FILE,
} from './alembic/observe.js';
import { type Observed, observedOf } from './alembic/observed.js';
import { type ReportStep, readReport } from './alembic/report.js';
import { type AlembicTrouble, troubleOf } from './alembic/trouble.js';
import { announcedSteps, firstTokens } from './alembic/unobserved.js';
import { readingId } from './process/ids.js';
import type { Processes, ProcessResult } from './process.js';

export interface AlembicOptions {
  readonly processes: Processes;
  /** The project: the folder in which `alembic` is started. */
  readonly directory: string;
  /** The target's environment, PATH included; DATABASE_URL, PGAPPNAME and PGOPTIONS are added here. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  /** Shows in pg_stat_activity. */
  readonly applicationName: string;
  /** Names the output folder of the operation, for instance `run-7/production.apply/1`. */
  readonly id: string;
  /** Milliseconds for commands that only read; 60,000 when not given. */
  readonly readTimeoutMs?: number;
}

export type Direction = 'upgrade' | 'downgrade';

export interface MigrateOptions {
  /** The one database that may be changed. */
  readonly target: ExpectedDatabase;
  /** Where it must be. */
  readonly from: readonly string[];
  /** Steps that may run, in order. */
  readonly steps: readonly ReportStep[];
  /** SHA-256 of each file that was approved, by absolute path. */
  readonly files: Readonly<Record<string, string>>;
  /** Tables whose rows must still be the ones that were archived; held so in the migration's own transaction. */
  readonly unchanged?: readonly MarkedTable[];
  /** Milliseconds that a statement waits for a lock. */
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs?: number;
  /** Milliseconds for the whole program. */
  readonly timeoutMs: number;
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

/** What `alembic current` met: facts where it was observed, else what it printed. */
export type ReadResult =
  | {
      readonly kind: 'read';
      readonly observed: Observed | null;
      /** The revisions that the database is at, as Alembic has it. */
      readonly heads: readonly string[];
    }
  | AlembicTrouble;

export type PrintResult =
  | {
      readonly kind: 'printed';
      readonly sql: string;
      readonly steps: readonly ReportStep[];
      /** The rows of the version table afterwards; null when not observed. */
      readonly heads: readonly string[] | null;
      readonly observed: Observed | null;
    }
  /** Which steps would run is known, their SQL is not: a migration needs more than a printer while it runs. */
  | {
      readonly kind: 'unprintable';
      /** A clause that begins with "it". */
      readonly why: string;
      readonly steps: readonly ReportStep[];
      readonly observed: Observed;
    }
  | AlembicTrouble;

export type MigrateResult = {
  /** Steps that ran to their end; where Alembic was not observed, those that it announced. */
  readonly steps: readonly ReportStep[];
} & (
  | { readonly kind: 'done'; readonly observed: Observed | null; readonly process: ProcessResult }
  | AlembicTrouble
);

export interface Alembic {
  /** Runs `alembic current` in a session that only reads. */
  read(target: ExpectedDatabase | null, signal?: AbortSignal): Promise<ReadResult>;
  /** What a migration from these revisions to one would send, without a connection. */
  print(direction: Direction, from: readonly string[], to: string): Promise<PrintResult>;
  migrate(direction: Direction, to: string, options: MigrateOptions): Promise<MigrateResult>;
  /** The process id under which a migration to a revision runs, to look for it after a crash. */
  processId(direction: Direction, to: string): string;
}

/** Programs that a project starts while it is only read inherit it: psql, another Python. */
const ONLY_READ = '-c default_transaction_read_only=on';

/** SQL of an unobserved plan is read back whole up to this size. */
const SQL_BYTES = 16 * 1_024 * 1_024;

/**
 * Runs the target's own Alembic with an observer inside, which reports facts and refuses what was not approved.
 * Where the observer does not come to work, the output is all there is, and every result says so.
 */
export function createAlembic(options: AlembicOptions): Alembic {
  const { processes, directory, id, applicationName } = options;

  function environment(settings: string): Record<string, string> {
    const pgOptions = [options.env.PGOPTIONS, settings].filter((part) => part).join(' ');
    return {
      ...options.env,
      DATABASE_URL: options.databaseUrl,
      PGAPPNAME: applicationName,
      ...(pgOptions === '' ? {} : { PGOPTIONS: pgOptions }),
    };
  }

  async function start(
    childId: string,
    argv: readonly string[],
    request: Omit<ObserveRequest, 'application_name'>,
    more: {
      readonly settings?: string;
      readonly timeoutMs: number;
      readonly graceMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
      readonly maxOutputBytes?: number;
    },
  ) {
    const { folder } = processes.paths(childId);
    const { settings = '', ...limits } = more;
    const process = await processes.run({
      id: childId,
      argv: ['alembic', ...argv],
      cwd: directory,
      env: observedEnvironment(environment(settings), folder),
      input: JSON.stringify({ ...request, application_name: applicationName }),
      ...limits,
    });
    const facts = await readObserved(processes, childId);
    // A Python that imports Alembic and then starts another one as a program was observed, and did nothing.
    const idle = process.kind === 'exited' && process.exitCode === 0 && facts?.configured.length === 0;
    return { process, observed: idle || facts === null ? null : { ...facts, cut: isCut(facts, process) } };
  }

  const reading = (mode: 'read' | 'print', from: readonly string[] | null) => ({
    mode,
    target: null,
    lock_timeout_ms: 10_000,
    statement_timeout_ms: null,
    from,
    steps: null,
    files: null,
  });
  const readTimeoutMs = options.readTimeoutMs ?? 60_000;

  return {
    async read(target, signal) {
      const { process, observed } = await start(
        readingId(id, 'current'),
        ['current'],
        { ...reading('read', null), target },
        { timeoutMs: readTimeoutMs, signal, settings: ONLY_READ },
      );
      const trouble = troubleOf(process, observed);
      if (trouble !== null) return trouble;
      const heads =
        observed?.plans.at(-1)?.heads ?? (process.kind === 'exited' ? firstTokens(process.stdout) : []);
      return { kind: 'read', observed, heads };
    },
    async print(direction, from, to) {
      const range = `${revisionArgument(from[0] ?? 'base')}:${revisionArgument(to)}`;
      const { process, observed } = await start(
        readingId(id, direction),
        [direction, from.length === 0 ? revisionArgument(to) : range, '--sql'],
        reading('print', from),
        { timeoutMs: readTimeoutMs, maxOutputBytes: SQL_BYTES, settings: ONLY_READ },
      );
      const trouble = troubleOf(process, observed);
      if (observed === null) {
        if (trouble !== null) return trouble;
        const sql = process.kind === 'exited' ? process.stdout : '';
        return { kind: 'printed', sql, steps: announcedSteps(sql), heads: null, observed };
      }
      const steps = observed.plans.flatMap((plan) => plan.steps);
      const { refused } = observed;
      if (refused?.code === 'reaches_out' && steps.length > 0) {
        return { kind: 'unprintable', why: `it ${refused.name}`, steps, observed };
      }
      if (trouble === null) {
        return { kind: 'printed', sql: observed.sql, steps, heads: observed.heads, observed };
      }
      // Alembic knew what to run, and the migration broke off for want of a database.
      return observed.errors[0]?.where === 'migration' && steps.length > 0
        ? { kind: 'unprintable', why: `it queries the database (${trouble.evidence})`, steps, observed }
        : trouble;
    },
    async migrate(direction, to, given) {
      const settings = [`-c lock_timeout=${Math.round(given.lockTimeoutMs)}`];
      if (given.statementTimeoutMs !== undefined) {
        settings.push(`-c statement_timeout=${Math.round(given.statementTimeoutMs)}`);
      }
      const { process, observed } = await start(
        `${id}/${direction}-${to}`,
        [direction, revisionArgument(to)],
        {
          mode: 'migrate',
          target: given.target,
          lock_timeout_ms: Math.round(given.lockTimeoutMs),
          statement_timeout_ms:
            given.statementTimeoutMs === undefined ? null : Math.round(given.statementTimeoutMs),
          from: given.from,
          steps: given.steps.map((step) => [step.direction, step.revision] as const),
          files: given.files,
          ...(given.unchanged === undefined ? {} : { unchanged: given.unchanged }),
        },
        {
          settings: settings.join(' '),
          timeoutMs: given.timeoutMs,
          graceMs: given.graceMs,
          signal: given.signal,
        },
      );
      const steps = observed?.done ?? (process.kind === 'not_started' ? [] : announcedSteps(process.stderr));
      const trouble = troubleOf(process, observed);
      return trouble === null ? { kind: 'done', steps, observed, process } : { ...trouble, steps };
    },
    processId: (direction, to) => `${id}/${direction}-${to}`,
  };
}

/** What the observer of a child has reported so far; null when it never came to work. */
export async function readObserved(
  processes: Pick<Processes, 'paths'>,
  childId: string,
): Promise<Observed | null> {
  const report = await readReport(join(processes.paths(childId).folder, REPORT_FILE));
  return report === null ? null : observedOf(report);
}

/** A program that failed by itself without an error in its report could not write it, as on a full disk. */
function isCut(observed: Observed, process: ProcessResult): boolean {
  const told = observed.ended || observed.errors.length > 0 || observed.refused !== null;
  return observed.cut || (process.kind === 'exited' && process.exitCode !== 0 && !told);
}

/** @throws for a relative step such as -1, which means another thing each time and reads like an option. */
function revisionArgument(revision: string): string {
  if (/^[\w][\w.@]*$/.test(revision)) return revision;
  throw new Error(`A revision is a name; found ${JSON.stringify(revision)}.`);
}
