import type { JobName } from './names.js';

/**
 * The one rule about what a single operator may do to the target of the jobs: **what may delete or deliver on
 * demand needs a second person's approval, unless the schedule that does the same was approved, is on, and still
 * does what was approved.** Switching a schedule on is such an approval, so it always needs the second person;
 * switching one off is stopping, and stopping is never gated. Commands ask this before anything is recorded, and
 * the scheduler asks it again right before a run that somebody asked for.
 */
export type Deed =
  | {
      readonly kind: 'run-job';
      readonly job: JobName;
      readonly dryRun: boolean;
      /** It is a program of the team, of which only the program itself knows what it does. */
      readonly program: boolean;
    }
  | { readonly kind: 'switch-on' }
  | { readonly kind: 'switch-off' }
  | { readonly kind: 'outbox-retry' }
  | { readonly kind: 'locks-cleanup' }
  | { readonly kind: 'locks-release' }
  | { readonly kind: 'replays-cleanup' }
  | { readonly kind: 'dead-letter-replay' };

/** How a schedule stands towards the approval of what it does. */
export type Standing =
  | 'off'
  /** On since before schedules were approved, and nobody has approved it since. */
  | 'unapproved'
  /** On and approved, but what it does now is not what was approved. */
  | 'changed'
  /** On and approved, but what it does now could not be read. */
  | 'unread'
  | 'approved';

export type Demand =
  | { readonly kind: 'free' }
  /** @property why what follows "It needs a second person's approval:", without a full stop */
  | { readonly kind: 'gated'; readonly why: string };

interface Effect {
  /** null: it neither deletes nor delivers. */
  readonly does: string | null;
  /** The job whose approved schedule does the same; null when no schedule does. */
  readonly scheduled: JobName | null;
}

/** What a built-in job does that cannot be taken back. */
const ofJob: Readonly<Record<JobName, string | null>> = {
  'outbox-processor': 'it delivers events',
  'dl-reconcile': 'it acknowledges messages, which deletes them from the pending ones',
  // It computes a view anew from rows that it leaves alone.
  'matview-refresh': null,
  'retention-cleanup': 'it deletes rows',
  'reclaim-gc': 'it deletes counters',
};

const nothing: Effect = { does: null, scheduled: null };

function effectOf(deed: Deed): Effect {
  switch (deed.kind) {
    case 'run-job': {
      const { job, program, dryRun } = deed;
      if (program) return { does: 'it is a program whose effects m10bot cannot know', scheduled: job };
      return dryRun ? nothing : { does: ofJob[job], scheduled: job };
    }
    case 'switch-on':
      return { does: 'schedules run unattended once they are on', scheduled: null };
    case 'switch-off':
      return nothing;
    case 'outbox-retry':
      return { does: 'the event is delivered again', scheduled: 'outbox-processor' };
    // A lock that has expired is nobody's: whoever asks next gets it, cleaned up or not.
    case 'locks-cleanup':
      return nothing;
    case 'locks-release':
      return { does: 'it takes a lock away from its holder', scheduled: null };
    // The age is chosen on demand, and is not the one that the retention's schedule was approved with.
    case 'replays-cleanup':
      return { does: 'it deletes rows', scheduled: null };
    case 'dead-letter-replay':
      return { does: 'the message is delivered again', scheduled: null };
  }
}

/** The job whose schedule decides whether the deed needs an approval; null when none does. */
export function scheduleOf(deed: Deed): JobName | null {
  const { does, scheduled } = effectOf(deed);
  return does === null ? null : scheduled;
}

/** @param standing of the schedule that `scheduleOf` names; of no account when it names none */
export function demandOf(deed: Deed, standing: Standing): Demand {
  const { does, scheduled } = effectOf(deed);
  if (does === null) return { kind: 'free' };
  if (scheduled === null) return { kind: 'gated', why: does };
  if (standing === 'approved') return { kind: 'free' };
  return { kind: 'gated', why: `${does}, and ${standingWords(scheduled, standing)}` };
}

function standingWords(job: JobName, standing: Exclude<Standing, 'approved'>): string {
  switch (standing) {
    case 'off':
      return `the schedule of ${job} is off`;
    case 'unapproved':
      return `nobody has approved the schedule of ${job}`;
    case 'changed':
      return `${job} is not what was approved any more`;
    case 'unread':
      return `whether ${job} is what was approved could not be read`;
  }
}
