import { finishRun } from '../runbook/jobs/decide.js';
import type { JobReport } from '../runbook/jobs/port.js';
import type { JobRequest, JobsState } from '../runbook/jobs/state.js';
import type { JobsJournal } from '../store/jobs.js';
import { createLeaseKeeper } from '../store/keeper.js';
import type { Leases } from '../store/leases.js';
import type { JobLog } from './job.js';
import { nothing } from './report.js';

export interface Requests {
  /** Takes on the runs by hand that nobody else has; those of a replica that died once its lease is over. */
  see(state: JobsState): void;
  /** Waits for those under way. */
  settled(): Promise<void>;
}

/** How long a replica that died keeps a request to itself, ms. */
const leaseMs = 10_000;

/** Runs by hand, as the journal asks for them: each by one replica, under a lease. */
export function createRequests(deps: {
  readonly journal: JobsJournal;
  readonly leases: Leases;
  readonly owner: string;
  /**
   * Runs the job once.
   * @param inherited another replica died over it, whose lock may still have to expire
   * @returns null when the bot ends before the run does: then it stays for another life or another replica
   */
  readonly run: (request: JobRequest, lost: AbortSignal, inherited: boolean) => Promise<JobReport | null>;
  readonly log: JobLog;
  readonly leaseMs?: number;
}): Requests {
  const { journal, leases, owner, log } = deps;
  const ttlMs = deps.leaseMs ?? leaseMs;
  const handling = new Map<number, Promise<void>>();
  /** When a request that somebody else has may be looked at again, ms since the epoch. */
  const notBefore = new Map<number, number>();

  async function handle(request: JobRequest): Promise<void> {
    const lost = new AbortController();
    const keeper = createLeaseKeeper({
      leases,
      name: `jobs:${journal.target}:request:${request.request}`,
      owner,
      ttlMs,
      onLost: (why) => lost.abort(why),
    });
    const lease = await keeper.acquire();
    if (lease.kind === 'refused') {
      notBefore.set(request.request, lease.until.getTime());
      return;
    }
    try {
      const { state } = await journal.load();
      if (!state.requests.some((open) => open.request === request.request)) return;
      const pause = state.paused[request.job];
      const overtaken = pause !== null && pause.at !== null && pause.at > request.at;
      const report = overtaken
        ? { ...pausedMeanwhile, durationMs: 0 }
        : await deps.run(request, lost.signal, lease.epoch > 1);
      if (report === null || lost.signal.aborted) return;
      await journal.execute((now) => finishRun(now, { ...report, request: request.request }));
    } finally {
      await keeper.release();
    }
  }

  return {
    see(state) {
      const now = Date.now();
      for (const request of state.requests) {
        const id = request.request;
        if (handling.has(id) || now < (notBefore.get(id) ?? 0)) continue;
        const done = handle(request)
          .catch((error: unknown) => {
            log.warn(
              { error, job: request.job },
              'a run by hand could not be brought to its end; trying again',
            );
            notBefore.set(id, Date.now() + 1_000);
          })
          .finally(() => handling.delete(id));
        handling.set(id, done);
      }
      for (const id of notBefore.keys()) {
        if (!state.requests.some((open) => open.request === id)) notBefore.delete(id);
      }
    },
    async settled() {
      await Promise.all(handling.values());
    },
  };
}

const pausedMeanwhile = {
  ...nothing,
  outcome: 'skipped',
  summary: 'Not run: the schedule was switched off after somebody requested this run.',
} as const;
