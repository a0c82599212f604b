import { describeFailure } from '../clients/postgres/failure.js';
import { describeRedisFailure } from '../clients/redis-failure.js';
import type { JobReport } from '../runbook/jobs/port.js';
import { JobFailure, JobSkipped } from './job.js';

/** A report without its duration, which whoever runs the job knows. */
export type Verdict = Omit<JobReport, 'durationMs'>;

/** Why a run was told to stop before its end. */
export type Stop =
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'timeout'; readonly ms: number }
  /** Somebody, or the bot's end, asked for it. */
  | { readonly kind: 'told'; readonly why: string };

/** How the job's own function ended. */
export type Ending =
  | {
      readonly kind: 'returned';
      readonly summary: string;
      readonly counts: Readonly<Record<string, number>>;
      readonly output: string;
    }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** It did not come to an end after it was told to stop. */
  | { readonly kind: 'hung' };

export const nothing = { counts: {}, output: '', advice: '' } as const;

/** What one run of a job comes to. Why it was stopped counts before what it said about it. */
export function verdictOf(job: string, ending: Ending, stop: Stop | null): Verdict {
  if (ending.kind === 'hung') return hung(job, stop);
  const done = ending.kind === 'returned' ? ending : partOf(ending.error);
  const until = done.summary === '' ? '' : ` Until then: ${done.summary}`;
  const rest = { counts: done.counts, output: done.output };
  if (stop?.kind === 'lost') {
    return {
      ...rest,
      outcome: 'lost',
      summary: `Lost its lock in the middle and stopped: ${stop.why}.${until}`,
      advice:
        'Whoever has the lock now goes on; the next run of the schedule does too. `/m10 locks` shows who.',
    };
  }
  if (stop?.kind === 'timeout') {
    return {
      ...rest,
      outcome: 'failed',
      summary: `Did not end within ${stop.ms / 1_000} s and was stopped.${until}`,
      advice: `The next run goes on from there. If it needs more time, raise \`timeout\` of ${job} in m10.yml.`,
    };
  }
  if (ending.kind === 'threw') {
    const failure = failureOf(ending.error);
    if (stop === null || ending.error instanceof JobFailure || failure.outcome === 'skipped') return failure;
    return { ...nothing, outcome: 'skipped', summary: `Stopped before its end: ${stop.why}.` };
  }
  const early = stop === null ? '' : ` Stopped early: ${stop.why}.`;
  return { ...rest, outcome: 'passed', summary: `${done.summary}${early}`, advice: '' };
}

function hung(job: string, stop: Stop | null): Verdict {
  return {
    ...nothing,
    outcome: stop?.kind === 'lost' ? 'lost' : 'failed',
    summary: `Did not stop when it was told to (${stop === null ? 'no reason' : reasonOf(stop)}); its connections were cut.`,
    advice: `Look at the log of the bot, and at \`pg_stat_activity\` for \`m10bot job ${job}\`.`,
  };
}

function reasonOf(stop: Stop): string {
  return stop.kind === 'timeout' ? `${stop.ms / 1_000} s were over` : stop.why;
}

function partOf(error: unknown) {
  if (!(error instanceof JobFailure)) return { summary: '', counts: {}, output: '' };
  return { summary: error.message, counts: error.counts, output: error.output };
}

/** An error of a job in words: what is known of it, and what can be done. */
export function failureOf(error: unknown): Verdict {
  if (error instanceof JobFailure) {
    const { message, counts, output, advice } = error;
    return { outcome: 'failed', summary: message, counts, output, advice };
  }
  if (error instanceof JobSkipped) {
    const { message, output, advice } = error;
    return { outcome: 'skipped', summary: message, counts: {}, output, advice };
  }
  const database = describeFailure(error);
  if (database?.kind === 'connection_lost') {
    return unreachable(database.message);
  }
  if (database !== null) {
    const lines = [database.detail, database.hint, database.context].filter((line) => line !== null);
    return {
      counts: {},
      outcome: 'failed',
      summary: `The database refused a statement: ${database.message} (SQLSTATE ${database.code}).`,
      output: lines.join('\n'),
      advice:
        adviceFor[database.code] ??
        'Look at the error. If it comes from the M10 functions, look at their code.',
    };
  }
  const redis = describeRedisFailure(error);
  if (redis !== null) {
    return { ...nothing, outcome: 'failed', summary: `Redis: ${redis.message}`, advice: redis.advice };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    ...nothing,
    outcome: 'failed',
    summary: `Ended with an error that was not foreseen: ${message}`,
    advice: 'The log of the bot has the details. The next run of the schedule tries again.',
  };
}

/** The target's database could not be asked. */
export function unreachable(why: string): Verdict {
  return {
    ...nothing,
    outcome: 'failed',
    summary: `The database cannot be reached: ${why}.`,
    advice: 'Check that it runs and that `database-url` of the target leads there; the next run tries again.',
  };
}

const adviceFor: Readonly<Record<string, string>> = {
  '42501': 'The role lacks a right on an M10 object. GRANT it; `m10bot doctor` shows which are needed.',
  '55P03':
    'Another session holds a lock on the table; the next run tries again. `pg_stat_activity` shows who.',
  '57014': 'A statement took too long, or somebody cancelled it; the next run tries again.',
};
