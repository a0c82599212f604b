import type { OpenedRun } from '../runbook/state.js';

/**
 * What a command answers, as data. Changes are told by the journal, so their reply is short; looks are the
 * reply themselves.
 */
export type Reply =
  /** The journal tells the channel; the person needs no more than a receipt. */
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'refused'; readonly command: string; readonly why: string; readonly instead: string }
  | { readonly kind: 'help'; readonly usages: readonly Usage[] }
  | {
      readonly kind: 'status';
      readonly run: OpenedRun | null;
      /** The run that was open last, shown when none is open. */
      readonly last: OpenedRun | null;
      readonly now: number;
      readonly by: string;
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
}
