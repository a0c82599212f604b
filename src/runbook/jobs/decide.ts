import type { Via } from '../events.js';
import { type Refusal, refuse } from '../refusal.js';
import type { JobEvent, JobEventOf, PartsByJob, ScheduleApproval } from './events.js';
import { type JobName, jobNames } from './names.js';
import type { JobReport } from './port.js';
import { differences, standingOf } from './schedules.js';
import type { JobsState } from './state.js';

/** Events to append, or why not. */
export type JobDecision = { readonly kind: 'accepted'; readonly events: readonly JobEvent[] } | Refusal;

/** Who asks: a person by a command, or a step of a run, whose approval stands for the operator's. */
export interface JobAsker {
  readonly by: string;
  readonly operator: boolean;
  readonly via: Via;
}

export interface JobsSwitch extends JobAsker {
  readonly jobs: readonly JobName[];
  readonly reason: string;
  /** The run whose step it is; null for a command. */
  readonly run: number | null;
}

/** Longest reason, in characters. */
export const MOST_REASON = 500;

const shortened = (reason: string) =>
  reason.length > MOST_REASON ? `${reason.slice(0, MOST_REASON - 1)}…` : reason;

const accept = (...events: JobEvent[]): JobDecision => ({ kind: 'accepted', events });

/** Switches schedules off. Everyone may: stopping is never gated, and never refused over its wording. */
export function pauseJobs(state: JobsState, asked: JobsSwitch): JobDecision {
  const jobs = asked.jobs.filter((job) => state.paused[job] === null);
  if (jobs.length === 0) {
    const off = asked.jobs.some((job) => state.paused[job]?.by !== null);
    return refuse(
      'already_paused',
      off ? `${these(asked.jobs)} paused already.` : `${these(asked.jobs)} not switched on.`,
      '`/m10 jobs` shows who paused what, and `/m10 jobs resume JOB` switches a schedule on.',
    );
  }
  const { by, run, via } = asked;
  return accept({ type: 'JobsPaused', jobs, by, reason: shortened(asked.reason), run, via });
}

/** Schedules to switch on, with the approval of exactly what each of them does. */
export interface JobsApproved extends Pick<JobsSwitch, 'jobs' | 'by' | 'reason' | 'via'> {
  readonly approval: ScheduleApproval;
  /** What each of these jobs does, as it was approved. */
  readonly parts: PartsByJob;
}

/** Switches schedules on: those that are off, and those that are on without this very thing being approved. */
export function resumeJobs(state: JobsState, asked: JobsApproved): JobDecision {
  const { by, via, approval } = asked;
  const reason = shortened(asked.reason);
  const jobs = asked.jobs.filter((job) => standingOf(state, job, asked.parts[job] ?? null) !== 'approved');
  const bare = jobs.find((job) => asked.parts[job] === undefined);
  if (bare !== undefined) throw new Error(`the approval does not say what ${bare} does`);
  if (jobs.length === 0) {
    return refuse(
      'not_paused',
      `${these(asked.jobs)} switched on already.`,
      '`/m10 jobs` shows when each runs next.',
    );
  }
  const parts = Object.fromEntries(jobs.map((job) => [job, asked.parts[job]]));
  return accept({ type: 'JobsResumed', jobs, by, reason, run: approval.run, via, approval, parts });
}

/**
 * Compares schedules that are on with what was approved. What differs is switched off, once; a schedule that was
 * on before schedules were approved goes on, is named once, and from then on compared with what it did then.
 * @param now what jobs do now; those that are not named are left alone
 */
export function compareSchedules(state: JobsState, now: PartsByJob): JobDecision {
  const on = jobNames.filter((job) => now[job] !== undefined && state.paused[job] === null);
  const voided = on.flatMap((job): JobEvent[] => {
    const cover = state.covers[job];
    const diff = cover === null ? [] : differences(cover, now[job] ?? {});
    return diff.length === 0
      ? []
      : [{ type: 'ScheduleVoided', job, approved: cover?.approval != null, diff }];
  });
  const unknown = on.filter((job) => state.covers[job] === null);
  const parts = Object.fromEntries(unknown.map((job) => [job, now[job]]));
  return accept(
    ...voided,
    ...(unknown.length === 0 ? [] : [{ type: 'SchedulesUnapproved' as const, jobs: [...unknown], parts }]),
  );
}

/** Asks for one run of a job now. Whether it needs an approval was asked of the rule before, and is again. */
export function requestRun(
  state: JobsState,
  asked: JobAsker & { readonly job: JobName; readonly dryRun: boolean },
): JobDecision {
  const { by, via, job, dryRun } = asked;
  if (!asked.operator) return notAnOperator('run a job by hand');
  const under = state.requests.find((request) => request.job === job);
  if (under !== undefined) {
    return refuse(
      'already_running',
      `A run of \`${job}\` that <@${under.by}> asked for has not ended yet.`,
      'Its result comes to the channel; ask again after it.',
    );
  }
  return accept({ type: 'JobRunRequested', request: state.lastRequest + 1, job, by, dryRun, via });
}

/** How a run by hand ended. The second end of a request changes nothing. */
export function finishRun(state: JobsState, ended: { readonly request: number } & JobReport): JobDecision {
  const open = state.requests.find((request) => request.request === ended.request);
  if (open === undefined) {
    return refuse('not_running', `Request ${ended.request} has ended already, or was never made.`);
  }
  const { request, outcome, summary, counts, output, advice, durationMs } = ended;
  const { job, by, dryRun } = open;
  return accept({
    type: 'JobRunFinished',
    request,
    job,
    by,
    dryRun,
    outcome,
    summary,
    counts: { ...counts },
    output: cut(output),
    advice,
    durationMs,
  });
}

/** A quick change outside any run, such as clearing expired locks. */
export function startOperation(
  state: JobsState,
  asked: JobAsker & { readonly what: string; readonly delivery?: string },
): JobDecision {
  if (!asked.operator) return notAnOperator('change something here');
  const { what, by, via, delivery } = asked;
  return accept({
    type: 'OperationStarted',
    operation: state.lastOperation + 1,
    what,
    by,
    via,
    ...(delivery === undefined ? {} : { delivery }),
  });
}

/** How it ended. The second end of an operation changes nothing. */
export function finishOperation(
  state: JobsState,
  ended: Omit<JobEventOf<'OperationFinished'>, 'type'>,
): JobDecision {
  if (!state.openOperations.some(({ operation }) => operation === ended.operation)) {
    return refuse('not_running', `Operation ${ended.operation} has ended already, or was never started.`);
  }
  return accept({ type: 'OperationFinished', ...ended, output: cut(ended.output) });
}

/** Longest output in an event, in characters: events stay for ever. */
const MOST_OUTPUT = 20_000;

function cut(output: string): string {
  if (output.length <= MOST_OUTPUT) return output;
  return `${output.slice(0, MOST_OUTPUT)}\n… cut: ${output.length - MOST_OUTPUT} more characters`;
}

/** The no to whoever is no operator. @param what the deed, such as `run a job on demand` */
export function notAnOperator(what: string): Refusal {
  return refuse(
    'not_an_operator',
    `Only listed operators may ${what}.`,
    'Everyone may look (`/m10 jobs`) and everyone may pause (`/m10 jobs pause JOB`).',
  );
}

function these(jobs: readonly JobName[]): string {
  const names = jobs.map((job) => `\`${job}\``);
  return names.length === 1
    ? `${names.join('')} is`
    : `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are`;
}
