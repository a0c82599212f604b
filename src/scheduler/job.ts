import type { Redis } from 'ioredis';
import type { Database } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import type { JobName } from '../runbook/jobs/names.js';

/** What a job did. A job that could not do its work throws `JobFailure`. */
export interface JobResult {
  /** One line for people, in the past tense, with its figures. */
  readonly summary: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Lines worth reading, such as what a dry run would do. */
  readonly output?: string;
}

/** The work could not be done, or not all of it: what happened, what can be done now, what was done until then. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly advice: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly output: string;
  constructor(
    message: string,
    details: {
      readonly advice: string;
      readonly counts?: Readonly<Record<string, number>>;
      readonly output?: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.advice = details.advice;
    this.counts = details.counts ?? {};
    this.output = details.output ?? '';
  }
}

/** The job could not begin its work, and nothing is wrong: the reason, as a sentence. */
export class JobSkipped extends Error {
  override readonly name = 'JobSkipped';
  readonly advice: string;
  readonly output: string;
  constructor(message: string, details: { readonly advice: string; readonly output?: string }) {
    super(message);
    this.advice = details.advice;
    this.output = details.output ?? '';
  }
}

/** The job's lock as the job sees it. */
export interface HeldLock {
  readonly name: string;
  /** Our `holder_id` in `m10_recovery.distributed_locks`. */
  readonly holder: string;
  /**
   * Whether the lock is surely still ours: the last extension is younger than its TTL by our own monotonic clock.
   * A job asks before each batch and stops when it is not.
   */
  held(): boolean;
}

/** What a job is given for one run. */
export interface JobContext {
  readonly target: TargetConfig;
  /** A session of this run alone, closed after it. */
  readonly database: Database;
  /** A connection of this run alone, opened at the first call. @throws JobFailure when there is no Redis */
  redis(): Promise<Redis>;
  readonly lock: HeldLock;
  /** Aborted when the lock is lost, the job is paused, or the bot ends: finish what is in hand, then stop. */
  readonly signal: AbortSignal;
  /** Show what would be done; change nothing. */
  readonly dryRun: boolean;
  /** ms since the epoch */
  readonly now: () => number;
  readonly log: JobLog;
  /** Text without secrets: whoever shortens a text applies it first. */
  redact(text: string): string;
}

export interface JobLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What must be there, by shape, before a job may start. Types as PostgreSQL's `format_type` writes them. */
export interface JobNeeds {
  /** Columns by table or view of the schema. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /** The very statements in which the job calls functions of the schema, by the function's name. */
  readonly calls: Readonly<Record<string, string>>;
  /** Privileges that the job's role must have on tables, such as DELETE. */
  readonly privileges: Readonly<Record<string, readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[]>>;
}

/** A periodic job. */
export interface Job {
  readonly name: JobName;
  /** Its lock in the target's `m10_recovery.distributed_locks`, the same name that other workers use. */
  readonly lock: string;
  readonly ttlSeconds: number;
  readonly needs: JobNeeds;
  /** It takes its lock by itself, as a program of the team does, so that nobody may hold it around a run. */
  readonly locksItself?: boolean;
  /** @throws JobFailure, or JobSkipped when there is a good reason not to begin */
  run(context: JobContext): Promise<JobResult>;
}
