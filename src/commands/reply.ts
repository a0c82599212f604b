import type { LockSeen, OutboxSeen, ReplaysSeen } from '../runbook/jobs/m10-port.js';
import type { JobName } from '../runbook/jobs/names.js';
import type { JobOverview, JobRunRecord } from '../runbook/jobs/port.js';
import type { JobRequest } from '../runbook/jobs/state.js';
import type { ReasonCode } from '../runbook/refusal.js';
import type { OpenedRun } from '../runbook/state.js';
import type { Undelivered } from '../store/held.js';

/**
 * What a command answers, as data. Changes are told by the journal, so their reply is short; looks are the
 * reply themselves.
 */
export type Reply =
  /** The journal tells the channel; the person needs no more than a receipt. */
  | { readonly kind: 'done'; readonly text: string }
  | {
      readonly kind: 'refused';
      /** Absent for what was not understood. */
      readonly reason?: ReasonCode;
      readonly command: string;
      readonly why: string;
      readonly instead: string;
    }
  | { readonly kind: 'help'; readonly usages: readonly Usage[] }
  | {
      readonly kind: 'status';
      readonly run: OpenedRun | null;
      /** An operation that is open beside it, or alone. */
      readonly beside: OpenedRun | null;
      /** The run that was open last, shown when none is open. */
      readonly last: OpenedRun | null;
      /** What Slack has not taken; null when that could not be read. */
      readonly undelivered: Undelivered | null;
      readonly now: number;
      readonly by: string;
    }
  | {
      readonly kind: 'jobs';
      readonly target: string;
      readonly jobs: readonly JobOverview[];
      /** Runs by hand that have not ended. */
      readonly requests: readonly JobRequest[];
      readonly now: number;
    }
  | {
      readonly kind: 'jobs-log';
      readonly job: JobName;
      /** Newest first. */
      readonly runs: readonly JobRunRecord[];
      readonly now: number;
    }
  | { readonly kind: 'locks'; readonly target: string; readonly locks: readonly LockSeen[] }
  | { readonly kind: 'outbox'; readonly target: string; readonly outbox: OutboxSeen }
  | {
      readonly kind: 'replays';
      readonly target: string;
      readonly replays: ReplaysSeen;
      readonly now: number;
    }
  | {
      readonly kind: 'audit';
      readonly run: OpenedRun;
      readonly entries: readonly AuditEntry[];
      readonly head: { readonly position: number; readonly hash: string };
      /** What the check of the hash chain over this run's events said. */
      readonly chain: string;
    };

export interface Usage {
  readonly usage: string;
  readonly what: string;
  /** `operators`, `everyone` … */
  readonly who: string;
}

export interface AuditEntry {
  /** ms since the epoch */
  readonly at: number;
  readonly by: string | null;
  readonly words: string;
  /** The start or the good end of an attempt, which a short form may fold. */
  readonly step?: { readonly id: string; readonly key: string; readonly is: 'started' | 'passed' };
}
