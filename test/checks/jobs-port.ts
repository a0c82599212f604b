import { settingsOf } from '../../src/checks/jobs/settings.js';
import { type JobsConfig, JobsFile, jobsConfig } from '../../src/config-jobs.js';
import { type JobName, jobNames } from '../../src/runbook/jobs/names.js';
import type { JobOverview, JobReport, JobRunRecord, JobsPort } from '../../src/runbook/jobs/port.js';

/** Every job as it is before anything happened: off, its target ready. */
const fresh = (job: JobName, config: JobsConfig): JobOverview => ({
  job,
  schedule: config[job].schedule,
  timezone: config[job].timezone,
  words: `on ${config[job].schedule}`,
  command: null,
  paused: { by: null, reason: 'not switched on yet', at: null, run: null },
  cover: null,
  waitsFor: [],
  nextRun: null,
  last: null,
  leader: null,
  failures: 0,
});

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface PlayedJobs {
  readonly config: JobsConfig;
  readonly port: Writable<JobsPort>;
  /** Changes what is seen of a job from the next look on. */
  set(job: JobName, seen: Partial<JobOverview>): void;
  readonly records: JobRunRecord[];
  /** What was asked for, in order. */
  readonly asked: { readonly what: string; readonly given: unknown }[];
  report: JobReport;
}

/**
 * Jobs whose state a test sets: for what a real scheduler shows only after minutes or by luck, such as the lock of a
 * replica that has died.
 */
export function playedJobs(section: Record<string, unknown> = {}): PlayedJobs {
  const config = jobsConfig(JobsFile.parse({ target: 'production', ...section }));
  const seen = new Map(jobNames.map((job) => [job, fresh(job, config)]));
  const nextRun = Date.parse('2026-01-01T00:00:00Z');
  const set = (job: JobName, change: Partial<JobOverview>) => {
    seen.set(job, { ...(seen.get(job) ?? fresh(job, config)), ...change });
  };
  const played: PlayedJobs = {
    config,
    set,
    records: [],
    asked: [],
    report: {
      outcome: 'passed',
      summary: 'Nothing to do.',
      counts: {},
      output: '',
      advice: '',
      durationMs: 5,
    },
    port: {
      target: config.target,
      retire: config.retire,
      async pause(change) {
        played.asked.push({ what: 'pause', given: change });
        const { by, reason, run } = change;
        for (const job of change.jobs)
          set(job, { paused: { by, reason, at: Date.now(), run }, cover: null, nextRun: null });
      },
      async resume(change) {
        played.asked.push({ what: 'resume', given: change });
        for (const [i, job] of change.jobs.entries()) {
          const cover = { approval: change.approval, parts: change.parts[job] ?? {} };
          set(job, { paused: null, cover, nextRun: nextRun + i });
        }
      },
      about: (job) => ({ program: config[job].command !== undefined, timeoutMs: config[job].timeout }),
      covers: async (job) => ({ kind: 'read', parts: settingsOf(config, job) }),
      async runOnce({ signal: _, ...given }) {
        played.asked.push({ what: 'runOnce', given });
        return played.report;
      },
      overview: async () => [...seen.values()],
      log: async (job, limit) => played.records.filter((r) => r.job === job).slice(0, limit),
    },
  };
  return played;
}

let ids = 0;

export function record(given: Partial<JobRunRecord> & { readonly job: JobName }): JobRunRecord {
  ids += 1;
  return {
    id: ids,
    tick: null,
    trigger: 'runbook',
    by: 'UALICE',
    dryRun: false,
    owner: 'host:1',
    startedAt: Date.now(),
    finishedAt: Date.now(),
    outcome: 'passed',
    summary: 'Done.',
    counts: {},
    output: '',
    advice: '',
    durationMs: 5,
    ...given,
  };
}
