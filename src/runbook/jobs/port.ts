import type { JobOutcome, JobParts, PartsByJob, ScheduleApproval } from './events.js';
import type { JobName } from './names.js';
import type { Pause, ScheduleCover } from './state.js';

/** How one run of a job ended. */
export interface JobReport {
  readonly outcome: JobOutcome;
  /** One line for people: what is true now. */
  readonly summary: string;
  /** Figures by name, such as `archived`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Lines worth reading: what a dry run would do, what failed. */
  readonly output: string;
  /** What can be done about a failure; empty otherwise. */
  readonly advice: string;
  readonly durationMs: number;
}

/** A run of a job as the table of runs has it. */
export interface JobRunRecord extends Omit<JobReport, 'outcome' | 'durationMs'> {
  readonly id: number;
  readonly job: JobName;
  /** The moment of its schedule, ms since the epoch; null when it was started otherwise. */
  readonly tick: number | null;
  readonly trigger: 'schedule' | 'made-up' | 'hand' | 'runbook';
  /** Slack user id of whoever asked; null for the schedule. */
  readonly by: string | null;
  readonly dryRun: boolean;
  /** The replica that ran it. */
  readonly owner: string;
  readonly startedAt: number;
  readonly finishedAt: number | null;
  /** `running` also when the replica died in the middle. */
  readonly outcome: JobOutcome | 'running';
  readonly durationMs: number | null;
}

/** Everything that `/m10 jobs` shows of a job. */
export interface JobOverview {
  readonly job: JobName;
  /** The cron expression, its time zone, and both in words. */
  readonly schedule: string;
  readonly timezone: string;
  readonly words: string;
  /** The team's own command, as it would be typed; null for the built-in job. */
  readonly command: string | null;
  readonly paused: Pause | null;
  /** What the schedule may do; null while it is off, or not compared with anything yet. */
  readonly cover: ScheduleCover | null;
  /** What of the target's schema it waits for, one line each; empty when all is there. null: could not be read. */
  readonly waitsFor: readonly string[] | null;
  /** ms since the epoch; null while it is paused. */
  readonly nextRun: number | null;
  readonly last: JobRunRecord | null;
  /** Who has the job's lock now. */
  readonly leader: { readonly holder: string; readonly expiresAt: number; readonly ours: boolean } | null;
  /** Failures in a row. */
  readonly failures: number;
}

/** What steps and commands may do with the jobs of a target. `scheduler/` implements it. */
export interface JobsPort {
  /** The target that jobs run against; null when the configuration has no jobs. */
  readonly target: string | null;
  /**
   * Switches schedules off and waits for the end of what is under way, by hand too, which comes before its next
   * batch. A wait of a minute is the longest.
   * @throws when a run did not end in that time: then the schedules are off, and something still works
   */
  pause(change: JobsChange): Promise<void>;
  /** Switches schedules on under an approval; nothing happens to one that is on under the same. */
  resume(change: JobsApproval): Promise<void>;
  about(job: JobName): JobFacts;
  /** What a job does now, by its configuration and its code. Never throws. */
  covers(job: JobName): Promise<JobCovers>;
  /** Runs a job once now, under its lock, and waits for its end. Never throws for a job that fails. */
  runOnce(request: JobOnce): Promise<JobReport>;
  overview(): Promise<readonly JobOverview[]>;
  /** Newest first. */
  log(job: JobName, limit: number): Promise<readonly JobRunRecord[]>;
  /** Commands of the configuration that retire the timers that ran the jobs before; empty for none. */
  readonly retire: readonly (readonly [string, ...string[]])[];
}

export interface JobsChange {
  readonly jobs: readonly JobName[];
  readonly by: string;
  readonly reason: string;
  readonly run: number | null;
}

export interface JobsApproval extends Pick<JobsChange, 'jobs' | 'by' | 'reason'> {
  readonly approval: ScheduleApproval;
  /** What each of these jobs does, as it was approved. */
  readonly parts: PartsByJob;
}

/** What the configuration says of a job. */
export interface JobFacts {
  /** A program of the team runs in place of the built-in job. */
  readonly program: boolean;
  /** A run is ended after this, ms. */
  readonly timeoutMs: number;
}

/** What a job does, or why that could not be read: which is neither the same nor a difference. */
export type JobCovers =
  | { readonly kind: 'read'; readonly parts: JobParts }
  | { readonly kind: 'failed'; readonly why: string };

export interface JobOnce {
  readonly job: JobName;
  readonly dryRun: boolean;
  readonly by: string;
  readonly trigger: 'hand' | 'runbook';
  readonly signal: AbortSignal;
}

/** The jobs of a configuration that has none. */
export const noJobs: JobsPort = {
  target: null,
  retire: [],
  pause: async () => undefined,
  resume: async () => undefined,
  about: () => ({ program: false, timeoutMs: 0 }),
  covers: async () => ({ kind: 'failed', why: 'no jobs are configured in m10.yml' }),
  runOnce: async () => ({
    outcome: 'skipped',
    summary: 'No jobs are configured in m10.yml.',
    counts: {},
    output: '',
    advice: 'Add the section `jobs` to m10.yml and start the bot again.',
    durationMs: 0,
  }),
  overview: async () => [],
  log: async () => [],
};
