import type { JobAlarm, JobEvent } from './events.js';
import type { JobName } from './names.js';
import type { JobRunRecord } from './port.js';
import type { JobsState } from './state.js';

/** What the table of runs says about a job's health. Dry runs count for nothing here. */
export interface JobHealth {
  /** Runs since the newest that passed which failed or lost their lock. Skipped runs count neither way. */
  readonly failures: number;
  /** The newest run that ended, whatever its outcome. */
  readonly last: JobRunRecord | null;
  /** The newest run that failed or lost its lock. */
  readonly trouble: JobRunRecord | null;
  /** When the job last really ran, and did not only find its lock taken: ms since the epoch. */
  readonly ranAt: number | null;
  /** When the job last passed, ms since the epoch. */
  readonly passedAt: number | null;
  /** When the run began that is under way, or was when its replica died: ms since the epoch. */
  readonly runningSince: number | null;
}

/** What is known about a job when its alarms are worked out. */
export interface JobFacts {
  readonly job: JobName;
  readonly health: JobHealth;
  /** From one moment of its schedule to the next, ms. */
  readonly intervalMs: number;
  /** A run is ended after this, ms. */
  readonly timeoutMs: number;
  /** Since when somebody could have run it, ms since the epoch: the start of this replica. */
  readonly watchedSince: number;
  /** Of the outbox-processor alone, and null when the outbox could not be read. */
  readonly outbox: OutboxFacts | null;
}

export interface OutboxFacts {
  /** Age of the oldest event that waits, ms. */
  readonly lagMs: number;
  readonly pending: number;
  /** What the configuration calls too much. */
  readonly limit: { readonly lagMs: number; readonly pending: number };
}

/** Intervals without a run after which a job is late. */
const LATE = 3;
/** An alarm about the outbox is over below this part of its limits, so that it does not come and go. */
const CALM = 0.8;

/**
 * What people should be told now: each thing once when it begins, failures again as they go on, and once when it
 * is over. Pure; asked again with nothing new, it has nothing more to say once its events are in the state.
 * @param now ms since the epoch
 */
export function alarms(state: JobsState, facts: readonly JobFacts[], now: number): JobEvent[] {
  return facts.flatMap((of) => [
    ...failing(state, of, now),
    ...overdue(state, of, now),
    ...(of.outbox === null ? [] : lagging(state, of.job, of.outbox)),
  ]);
}

/** The levels at which failures in a row are told: 1, 3, 10, 30, 100, 300, … */
export function levelOf(failures: number): number {
  let level = 0;
  for (let tens = 1; tens <= failures; tens *= 10) level = 3 * tens <= failures ? 3 * tens : tens;
  return level;
}

function failing(state: JobsState, { job, health }: JobFacts, now: number): JobEvent[] {
  const { failures, trouble, passedAt } = health;
  const told = state.alarms[job].failing ?? 0;
  // Fewer failures in a row than people were told of: it passed in between, also when it fails again by now.
  const recovered = told > failures && passedAt !== null;
  const over = recovered ? [cleared(job, 'failing', `${job} works again, after ${failed(told)}.`)] : [];
  if (levelOf(failures) <= levelOf(recovered ? 0 : told)) return over;
  // A lock that is lost once is a hiccup, and the next run goes on from there; lost again and again it is not.
  if (trouble?.outcome === 'lost' && failures < 3) return over;
  const since =
    passedAt === null ? 'It has never worked here.' : `It last worked ${span(now - passedAt)} ago.`;
  const summary = failures === 1 ? `${job} failed.` : `${job} failed ${failures} times in a row. ${since}`;
  const raised: JobEvent = {
    type: 'JobAlarmRaised',
    job,
    alarm: 'failing',
    failures,
    summary,
    error: said(trouble),
    advice: advised(trouble?.advice ?? '', `\`/m10 jobs log ${job}\` shows the last runs.`),
  };
  return [...over, raised];
}

const failed = (times: number) => (times === 1 ? 'one failure' : `${times} failures or more in a row`);

function overdue(state: JobsState, facts: JobFacts, now: number): JobEvent[] {
  const { job, health, intervalMs } = facts;
  const { ranAt, last } = health;
  const late = LATE * intervalMs;
  if (state.alarms[job].overdue !== undefined) {
    if (ranAt === null || now - ranAt > late) return [];
    return [cleared(job, 'overdue', `${job} runs again.`)];
  }
  const resumedAt = state.resumedAt[job];
  if (state.paused[job] !== null || resumedAt === null || isRunning(facts, now)) return [];
  if (now - Math.max(ranAt ?? 0, resumedAt, facts.watchedSince) <= late) return [];
  const skipped = last?.outcome === 'skipped' ? said(last) : '';
  const when = ranAt === null ? 'It has never run here' : `It last ran ${span(now - ranAt)} ago`;
  return [
    {
      type: 'JobAlarmRaised',
      job,
      alarm: 'overdue',
      failures: 0,
      summary: `${job} has not run for three intervals of its schedule. ${when}, and should run every ${span(intervalMs)}.`,
      error: skipped,
      advice: advised(
        last?.outcome === 'skipped' ? last.advice : '',
        `\`/m10 jobs\` shows who leads it and what it waits for, \`/m10 locks\` who holds its lock. \`/m10 jobs run ${job}\` runs it once now.`,
      ),
    },
  ];
}

/** A run that takes its time is no missing run, until it has outlived its own time limit. */
function isRunning({ health, timeoutMs }: JobFacts, now: number): boolean {
  return health.runningSince !== null && now - health.runningSince <= timeoutMs;
}

function lagging(state: JobsState, job: JobName, { lagMs, pending, limit }: OutboxFacts): JobEvent[] {
  const figures = `${pending.toLocaleString('en')} events wait, the oldest for ${span(lagMs)}`;
  if (state.alarms[job].lag !== undefined) {
    const calm = lagMs < CALM * limit.lagMs && pending < CALM * limit.pending;
    return calm ? [cleared(job, 'lag', `The outbox has caught up: ${figures}.`)] : [];
  }
  if (lagMs <= limit.lagMs && pending <= limit.pending) return [];
  const pause = state.paused[job];
  // Nobody has asked this bot yet to look after the outbox.
  if (pause !== null && pause.at === null) return [];
  return [
    {
      type: 'JobAlarmRaised',
      job,
      alarm: 'lag',
      failures: 0,
      summary: `The outbox falls behind: ${figures}. The limits are ${limit.pending.toLocaleString('en')} events and ${span(limit.lagMs)}.`,
      error: '',
      advice:
        pause === null
          ? '`/m10 outbox` shows what waits, by type, and the last errors.'
          : `${job} is ${pause.by === null ? 'switched off' : `paused by <@${pause.by}>`}; \`/m10 jobs resume ${job}\` asks for an approval to switch it on. \`/m10 outbox\` shows what waits.`,
    },
  ];
}

function cleared(job: JobName, alarm: JobAlarm, summary: string): JobEvent {
  return { type: 'JobAlarmCleared', job, alarm, summary };
}

/** Longest error in an event, in characters; the log has the run's whole output. */
const MOST_ERROR = 2_000;

function said(run: JobRunRecord | null): string {
  if (run === null) return '';
  const text = [run.summary, run.output].filter((part) => part !== '').join('\n');
  return text.length <= MOST_ERROR ? text : `${text.slice(0, MOST_ERROR)}…`;
}

function advised(own: string, general: string): string {
  return own === '' ? general : `${own} ${general}`;
}

/** A time in words, rough enough to be read at once. @param ms milliseconds */
function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
