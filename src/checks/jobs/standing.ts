import { setTimeout as sleep } from 'node:timers/promises';
import type { JobsConfig } from '../../config-jobs.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobOverview, JobsPort } from '../../runbook/jobs/port.js';
import { spoken, table } from '../outcome.js';

const lookEveryMs = 200;
/** How long a target that gives no answer is asked again, ms. */
const unreadForMs = 10_000;

export async function overviewOf(
  port: Pick<JobsPort, 'overview'>,
  jobs: readonly JobName[],
): Promise<readonly JobOverview[]> {
  return (await port.overview()).filter(({ job }) => jobs.includes(job));
}

/**
 * Whether a run of a job is under way; null when the target could not be asked who has its lock. A program of the
 * team's takes the lock itself, some time after its start, and its holder is not a name of ours.
 */
export function underWay(
  { job, command, leader, waitsFor, last }: JobOverview,
  jobs: JobsConfig,
  now: number,
): boolean | null {
  if (leader?.ours === true) return true;
  if (last?.outcome !== 'running') return false;
  if (command !== null) return leader !== null || now < last.startedAt + jobs[job].timeout;
  return leader === null && waitsFor === null ? null : false;
}

/** Jobs by whether they are at work. */
export function atWork(seen: readonly JobOverview[], jobs: JobsConfig, now: number) {
  const named = (state: boolean | null) =>
    seen.filter((one) => underWay(one, jobs, now) === state).map(({ job }) => job);
  return { busy: named(true), unread: named(null) };
}

/**
 * Waits until no run of these jobs is under way, as far as the target answers and the signal lets it.
 * @returns how it stood at the last look
 */
export async function untilStill(
  port: Pick<JobsPort, 'overview'>,
  jobs: JobsConfig,
  which: readonly JobName[],
  now: () => number,
  signal: AbortSignal,
): Promise<readonly JobOverview[]> {
  let unreadSince: number | null = null;
  for (;;) {
    const seen = await overviewOf(port, which);
    const { busy, unread } = atWork(seen, jobs, now());
    unreadSince = unread.length > 0 ? (unreadSince ?? performance.now()) : null;
    const gaveUp = unreadSince !== null && performance.now() - unreadSince > unreadForMs;
    if ((busy.length === 0 && (unread.length === 0 || gaveUp)) || signal.aborted) return seen;
    await pause(lookEveryMs, signal);
  }
}

/** Sleeps; an abort ends it early and is seen by whoever looks at the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Who still has a lock: ours that we wait for, and those of other workers, which are nobody's to end here. */
export function sayLeader({ job, leader }: JobOverview, now: number): string {
  if (leader === null) return `${job}: nobody has its lock`;
  const whose = leader.ours ? 'the bot' : 'a worker that is not this bot';
  return `${job}: its lock is held by ${leader.holder} (${whose}), for ${spoken(Math.max(0, leader.expiresAt - now))} more unless it is extended`;
}

/** The jobs as a table for the output of a step. */
export function standing(seen: readonly JobOverview[]): string {
  return table([
    ['job', 'schedule', 'state', 'next run'],
    ...seen.map((job) => [
      job.job,
      job.words,
      job.paused === null ? 'on' : `off: ${job.paused.reason}`,
      job.nextRun === null ? '-' : new Date(job.nextRun).toISOString(),
    ]),
  ]);
}
