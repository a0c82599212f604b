import type { JobName } from './names.js';

/** What commands see and do of the M10 objects of a target. Times are ms since the epoch, by the target's clock. */
export interface M10Port {
  /** The target of the jobs. */
  readonly target: string;
  /** For people: names and holders are redacted. */
  locks(): Promise<M10Answer<readonly LockSeen[]>>;
  /** One lock exactly as it is, to be told apart from any other. */
  lock(name: string): Promise<M10Answer<LockSeen | null>>;
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
  /** Those that wait for their next try. */
  readonly waiting: number;
  /** Those that a processor has in hand. */
  readonly delivering: number;
  /** Age of the oldest pending event; null when none is pending. */
  readonly oldestMs: number | null;
  /** Age of the oldest event that is due; 0 when none is. */
  readonly lagMs: number;
  /** The most first. */
  readonly byType: readonly { readonly eventType: string; readonly pending: number }[];
  /** Pending events by tries that failed, fewest first. */
  readonly byRetries: readonly { readonly retries: number; readonly pending: number }[];
  /** Outbox events in the archive of dead letters. */
  readonly deadLettered: number;
  /** What failed last, newest first. */
  readonly lastErrors: readonly {
    readonly id: number;
    readonly eventType: string;
    /** Such as `candidate 7`. */
    readonly aggregate: string;
    readonly retries: number;
    readonly error: string;
    /** null when it has no next try, or is due. */
    readonly nextTryAt: number | null;
    /** Given up; a retry brings it back. */
    readonly dead: boolean;
  }[];
}

/** Where one event stands. */
export interface EventSeen {
  readonly eventType: string;
  readonly state: 'due' | 'waits' | 'delivering' | 'dead' | 'delivered';
}

export type RetryResult =
  /**
   * @property revived it was a dead letter
   * @property behind the earlier event of its aggregate that goes first
   */
  | { readonly kind: 'due'; readonly revived: boolean; readonly behind: number | null }
  | { readonly kind: 'delivering' }
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
