import type { BlockRef, Runbook } from './definition.js';
import type { EventOf, Loss, Plan, Purpose, StepResult, TargetState, Via, Where } from './events.js';
import type { Executed } from './executed.js';
import type { Fingerprint } from './fingerprint.js';
import type { ReasonCode } from './refusal.js';

/** A question outside that has no answer yet: neither a yes nor a no. It is asked again. */
export interface NotAsked {
  readonly kind: 'not_asked';
  readonly why: string;
  /** ms before it is worth asking again; 0 when nobody said */
  readonly retryAfterMs: number;
}

/** What a look-up said about a person as approver. */
export type Verdict =
  | { readonly kind: 'eligible' }
  | { readonly kind: 'ineligible'; readonly code: ReasonCode; readonly why: string }
  | NotAsked;

/** The meaning of an emoji on a gate. */
export type Sign = 'approve' | 'refuse' | 'stop';

/** What Slack says about the reactions on a request. */
export type Signs =
  | SignsRead
  /** Slack answered: the message, or what it attaches, is not there, or it is the message of something else. */
  | { readonly kind: 'gone' }
  | NotAsked;

/** Who reacted how. */
export interface SignsRead {
  readonly kind: 'read';
  readonly by: Readonly<Record<Sign, readonly string[]>>;
}

/** What Slack and the targets say right before a gate is spent. */
export interface SpendFacts {
  readonly reactions: SignsRead | NotAsked;
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** Who drives: an operator's ❌ counts like an approver's. */
  readonly operators: readonly string[];
  readonly fingerprint:
    | { readonly kind: 'computed'; readonly fingerprint: Fingerprint }
    | { readonly kind: 'failed'; readonly why: string }
    /** A target could not be read at this moment. */
    | NotAsked;
}

/** What Slack says right before a change about the approval under which it would run. */
export interface ConfirmFacts {
  /** The request that was asked about; null when the journal holds no approval of the block. */
  readonly gate: number | null;
  readonly signs: Signs;
  readonly verdicts: Readonly<Record<string, Verdict>>;
  /** How many must approve by the configuration of now. */
  readonly needs: number;
}

/** Imperatives that people and the runner put to a run. Facts that need I/O are part of the command. */
export type Command =
  | {
      readonly type: 'OpenRun';
      readonly run: number;
      readonly purpose: Purpose;
      readonly runbook: Runbook;
      readonly digest: string;
      readonly channel: string;
      readonly by: string;
      readonly operator: boolean;
      readonly changing: readonly string[];
      readonly reason: string;
      /** Targets that another run holds. */
      readonly busy: readonly { readonly target: string; readonly run: number }[];
    }
  | { readonly type: 'RequestNext'; readonly by: string; readonly operator: boolean; readonly via: Via }
  | {
      readonly type: 'RequestOperation';
      readonly by: string;
      readonly operator: boolean;
      readonly operation: string;
      readonly via: Via;
    }
  | {
      readonly type: 'RequestRollback';
      readonly by: string;
      readonly operator: boolean;
      readonly reason: string;
      readonly via: Via;
    }
  | {
      readonly type: 'RequestSkip';
      readonly by: string;
      readonly operator: boolean;
      readonly step: string;
      readonly reason: string;
      readonly via: Via;
    }
  | { readonly type: 'Retry'; readonly by: string; readonly operator: boolean; readonly via: Via }
  | { readonly type: 'Resume'; readonly by: string; readonly operator: boolean; readonly via: Via }
  | {
      readonly type: 'Stop';
      readonly by: string;
      readonly reason: string;
      readonly now: boolean;
      readonly via: Via;
    }
  | {
      readonly type: 'Close';
      readonly by: string;
      readonly operator: boolean;
      readonly reason: string;
      readonly targets: readonly TargetState[];
    }
  | {
      readonly type: 'React';
      readonly gate: number;
      readonly by: string;
      readonly sign: Sign;
      readonly emoji: string;
      readonly verdict: Verdict;
      readonly operator: boolean;
      readonly via: Via;
    }
  | {
      readonly type: 'Unreact';
      readonly gate: number;
      readonly by: string;
      readonly sign: Sign;
      readonly via: Via;
    }
  | {
      readonly type: 'OpenGate';
      readonly gate: number;
      readonly needs: number;
      readonly from: readonly string[];
      readonly eligible: readonly string[];
      /** How long the request lives, ms. */
      readonly expiresMs: number;
      readonly fingerprint: Fingerprint;
      readonly plan: Plan;
    }
  | { readonly type: 'FailGate'; readonly gate: number; readonly reason: string }
  | { readonly type: 'ExpireGate'; readonly gate: number }
  /** @param lost Slack's timestamp of the message that is gone, or the id of the file */
  | { readonly type: 'RepostGate'; readonly gate: number; readonly lost: string }
  | { readonly type: 'SpendGate'; readonly gate: number; readonly facts: SpendFacts }
  /** Right before a change: whether the approvals of its block still stand, whatever the journal says. */
  | {
      readonly type: 'ConfirmApproval';
      readonly block: BlockRef;
      readonly step: string;
      readonly facts: ConfirmFacts;
    }
  | { readonly type: 'StartBlock'; readonly block: BlockRef }
  | {
      readonly type: 'StartStep';
      readonly block: BlockRef;
      readonly step: string;
      readonly attempt: number;
      readonly where?: Where;
    }
  | {
      readonly type: 'FinishStep';
      readonly block: BlockRef;
      readonly step: string;
      readonly attempt: number;
      readonly result: StepResult;
      readonly summary: string;
      readonly output: string;
      readonly outputFile: string | null;
      readonly data: EventOf<'StepFinished'>['data'];
      readonly durationMs: number;
      readonly recovered: boolean;
      readonly executed?: Executed;
      readonly notes?: readonly string[];
    }
  /** The probe found that an interrupted step did not happen and is not running. */
  | { readonly type: 'RedoStep'; readonly block: BlockRef; readonly step: string; readonly attempt: number }
  | {
      readonly type: 'Assess';
      readonly block: BlockRef;
      readonly step: string;
      readonly attempt: number;
      readonly targets: readonly TargetState[];
      readonly loss: readonly Loss[];
      readonly notes: readonly string[];
    }
  | { readonly type: 'FinishRun'; readonly targets: readonly TargetState[] };

export type CommandType = Command['type'];
export type CommandOf<T extends CommandType> = Extract<Command, { type: T }>;
