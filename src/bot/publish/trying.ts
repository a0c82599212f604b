import { setTimeout as sleep } from 'node:timers/promises';
import { type Slack, SlackCallError } from '../../clients/slack.js';
import { type Log, messageOf } from '../log.js';
import type { Timing } from './timing.js';

export interface Trying {
  /**
   * Waits after the n-th failure; when Slack was away, no longer than until it answers again.
   * @throws when the signal is aborted
   */
  pause(attempt: number, error: unknown, signal: AbortSignal): Promise<void>;
}

/** Codes by which Slack says that it is not well; whatever else it says, it is there. */
const away = new Set(['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout']);

/** How long one question whether Slack is back is waited for, ms: a connection into nowhere is asked anew. */
const PATIENCE = 3_000;

/**
 * Waiting between tries: longer each time, and up to half as long again, so that replicas do not keep step. What waits
 * for an outage to end asks Slack now and then whether it is over, with the cheapest call there is: after an hour away
 * the longest wait is no reason to be silent for most of a minute more. One that was woken for nothing asks less often.
 */
export function createTrying(
  log: Log,
  timing: Pick<Timing, 'backoff' | 'longestBackoff' | 'probe'>,
  slack: Pick<Slack, 'call'>,
): Trying {
  let asking: Promise<boolean> | null = null;
  /** Woken since the last call that went well, and failed again. */
  let inVain = 0;

  const answers = async (): Promise<boolean> => {
    try {
      await Promise.race([
        slack.call('api.test', {}),
        sleep(PATIENCE, undefined, { ref: false }).then(() => {
          throw new Error('no answer');
        }),
      ]);
      return true;
    } catch (error) {
      // A no and a "too many calls" are answers too.
      return error instanceof SlackCallError && !isAway(error);
    }
  };

  /** Every lane that waits shares one question. */
  function ask(): Promise<boolean> {
    asking ??= answers().finally(() => {
      asking = null;
    });
    return asking;
  }

  async function untilBack(signal: AbortSignal): Promise<void> {
    const every = Math.min(timing.longestBackoff, timing.probe * 2 ** Math.min(20, inVain));
    do await sleep(every, undefined, { signal });
    while (!(await ask()));
    inVain += 1;
    log.info({}, 'Slack answers again; publishing goes on');
  }

  return {
    async pause(attempt, error, signal) {
      signal.throwIfAborted();
      log.warn({ attempt, why: messageOf(error) }, 'publishing failed; trying again');
      if (attempt === 1) inVain = 0;
      const wait =
        Math.min(timing.longestBackoff, timing.backoff * 2 ** Math.min(20, attempt - 1)) *
        (1 + Math.random() / 2);
      if (!isAway(error) || wait <= timing.probe) return sleep(wait, undefined, { signal });
      const done = new AbortController();
      const within = AbortSignal.any([signal, done.signal]);
      const woken = untilBack(within).catch(() => undefined);
      try {
        await Promise.race([sleep(wait, undefined, { signal: within }), woken]);
      } finally {
        done.abort();
      }
      signal.throwIfAborted();
    },
  };
}

function isAway(error: unknown): boolean {
  if (!(error instanceof SlackCallError)) return false;
  const { failure } = error;
  return failure.kind === 'ambiguous' || (failure.kind === 'refused' && away.has(failure.code));
}
