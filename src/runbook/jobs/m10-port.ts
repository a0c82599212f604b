import type { JobName } from './names.js';

/** What commands see and do of the M10 objects of a target. Times are ms since the epoch, by the target's clock. */
export interface M10Port {
  /** The target of the jobs. */
  readonly target: string;
  locks(): Promise<M10Answer<readonly LockSeen[]>>;
  /** Removes every lock that has expired; says which. */
  cleanupLocks(): Promise<M10Answer<readonly LockSeen[]>>;
  outbox(): Promise<M10Answer<OutboxSeen>>;
  outboxEvent(id: number): Promise<M10Answer<EventSeen | null>>;
  /** Makes a failed event due at once; a dead letter goes back into the outbox. Doing it twice changes nothing more. */
  retryOutbox(id: number): Promise<M10Answer<RetryResult>>;
  replays(): Promise<M10Answer<ReplaysSeen>>;
  /** What a clean-up of entries of at least that age would delete, from now on fixed by a moment. */
  countReplays(olderThanMs: number): Promise<M10Answer<OldReplays>>;
  /** @param message id of the dead letter, or of the message that it was */
  deadLetter(message: string): Promise<M10Answer<LetterSeen | null>>;
}

/** An answer, or why there is none and what can be done about it. */
export type M10Answer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'no'; readonly why: string; readonly instead: string };

export interface LockSeen {
  readonly name: string;
  readonly holder: string;
  readonly acquiredAt: number;
  readonly expiresAt: number;
  readonly ageMs: number;
  /** Until it expires; negative once it has. */
  readonly leftMs: number;
  /** Expired: whoever asks next gets it. */
  readonly stale: boolean;
  /** Whether the holder is a replica of this bot. */
  readonly ours: boolean;
  readonly job: JobName | null;
  /** Since the last sign of life; null when the TTL is not known. */
  readonly silentMs: number | null;
}

export interface OutboxSeen {
  readonly pending: number;
  /** Those whose time has come. */
  readonly due: number;
  /** Those that failed at least once. */
  readonly retrying: number;
  /** Age of the oldest pending event; null when none is pending. */
  readonly lagMs: number | null;
  /** By type, the most first; `otherTypes` are left out. */
  readonly types: readonly {
    readonly type: string;
    readonly pending: number;
    readonly retrying: number;
    readonly oldestMs: number;
    /** The most tries that failed of any of them. */
    readonly tries: number;
  }[];
  readonly otherTypes: number;
  /** Given up and still in the outbox, so that they can be retried. */
  readonly dead: number;
  /** What failed last, newest first. */
  readonly failures: readonly EventSeen[];
}

export interface EventSeen {
  readonly id: number;
  readonly type: string;
  /** Such as `candidate 7`. */
  readonly aggregate: string;
  /** Tries that failed. */
  readonly tries: number;
  readonly error: string | null;
  readonly ageMs: number;
  /** `due`: its time has come; `waits`: it has not, or a processor has it in hand. */
  readonly state: 'due' | 'waits' | 'dead' | 'delivered';
  /** Until its next try. */
  readonly inMs: number | null;
}

export type RetryResult =
  /** @property was what it was before */
  | { readonly kind: 'due'; readonly was: 'waits' | 'due' | 'dead' }
  | { readonly kind: 'delivered' }
  | { readonly kind: 'gone' }
  /** A younger event of the same aggregate and type is pending, and tells what is true now. */
  | { readonly kind: 'replaced'; readonly by: number };

export interface ReplaysSeen {
  readonly rows: number;
  readonly bytes: number;
  readonly oldestAt: number | null;
  /** Of each day in UTC, oldest first; the last one is today and not over. */
  readonly days: readonly { readonly day: string; readonly count: number }[];
}

export interface OldReplays {
  /** Everything from before this moment. */
  readonly before: number;
  readonly count: number;
}

export interface LetterSeen {
  readonly deadLetter: string;
  readonly original: string | null;
  /** Why it cannot be put back; null when it can. */
  readonly unfit: string | null;
  /** It was put back already, in words; null when it was not. */
  readonly replayed: string | null;
}
