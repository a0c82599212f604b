import type { Via } from '../events.js';
import { type Refusal, refuse } from '../refusal.js';
import type { JobEvent, JobEventOf } from './events.js';
import type { JobName } from './names.js';
import type { JobReport } from './port.js';
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
  const reason =
    asked.reason.length > MOST_REASON ? `${asked.reason.slice(0, MOST_REASON - 1)}…` : asked.reason;
  return accept({ type: 'JobsPaused', jobs, by, reason, run, via });
}

/** Switches schedules on. */
export function resumeJobs(state: JobsState, asked: JobsSwitch): JobDecision {
  if (!asked.operator) return notAnOperator('switch the schedule of a job on');
  if (asked.reason.length > MOST_REASON) {
    return refuse(
      'bad_arguments',
      `A reason has at most ${MOST_REASON} characters; this one has ${asked.reason.length}.`,
      'Say it shorter, and put the long form into the channel.',
    );
  }
  const jobs = asked.jobs.filter((job) => state.paused[job] !== null);
  if (jobs.length === 0) {
    return refuse(
      'not_paused',
      `${these(asked.jobs)} switched on already.`,
      '`/m10 jobs` shows when each runs next.',
    );
  }
  const { by, reason, run, via } = asked;
  return accept({ type: 'JobsResumed', jobs, by, reason, run, via });
}

/** Asks for one run of a job now, also of one whose schedule is off. */
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

function notAnOperator(what: string): Refusal {
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
