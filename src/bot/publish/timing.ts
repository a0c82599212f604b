import type { Pace } from './pacer.js';

/** How the publisher paces itself. All times in ms. */
export interface Timing {
  /** Messages of one channel. Slack takes about one a second, and short bursts. */
  readonly posts: Pace;
  /** chat.update over all channels: Slack takes 50 a minute. */
  readonly updates: Pace;
  /** Least time between two updates of run cards. */
  readonly cardEvery: number;
  /** First and longest wait after a failure; it doubles in between. */
  readonly backoff: number;
  readonly longestBackoff: number;
  /** How often Slack is asked whether it is back, while an outage is waited for. */
  readonly probe: number;
  /** How often the journal is looked at without being woken. */
  readonly poll: number;
  /** How long the publisher's lease lasts without a renewal. */
  readonly lease: number;
}

export const slackTiming: Timing = {
  posts: { burst: 4, everyMs: 1_000 },
  updates: { burst: 6, everyMs: 1_400 },
  cardEvery: 1_200,
  backoff: 500,
  longestBackoff: 30_000,
  probe: 1_000,
  poll: 5_000,
  lease: 10_000,
};

/** Calls of the budget that are kept for urgent messages. */
export const RESERVE = 2;
