import { setTimeout as sleep } from 'node:timers/promises';
import { WebAPIPlatformError, WebAPIRateLimitedError } from '@slack/web-api';
import { z } from 'zod';
import type { NotAsked } from '../runbook/command.js';
import { messageOf } from './log.js';

/** What became of a question to Slack. Only `answered` and `refused` are answers. */
export type Asked<T> =
  | { readonly kind: 'answered'; readonly value: T }
  /** Slack's own no, with its error code: what it says about the question is for the caller to judge. */
  | { readonly kind: 'refused'; readonly code: string }
  | NotAsked;

/**
 * Asks Slack until it answers or the patience is over. Never throws.
 * @param method the Web API method that `call` uses: a rate limit holds for one method
 * @param patienceMs ms of patience; some seconds without it
 */
export type Ask = <T>(method: string, call: () => Promise<T>, patienceMs?: number) => Promise<Asked<T>>;

/** How long a question is asked again before the caller is told that there is no answer, ms. */
const PATIENCE = 5_000;
const FIRST_DELAY = 200;
const LONGEST_DELAY = 2_000;

/** Codes by which Slack says that it could not answer, and nothing about what it was asked. */
const noAnswers: ReadonlySet<string> = new Set([
  'ratelimited',
  'rate_limited',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
]);

/** Whether an error code of Slack says nothing about what was asked. */
export function isNoAnswer(code: string): boolean {
  return noAnswers.has(code);
}

/** That a question has no answer yet. @param retryAfterMs ms before it is worth asking again */
export function notAsked(why: string, retryAfterMs = 0): NotAsked {
  return { kind: 'not_asked', why, retryAfterMs };
}

/** A question without an answer that says what was asked. @param what such as "the account could not be looked up" */
export function unanswered(what: string, asked: Exclude<Asked<unknown>, { kind: 'answered' }>): NotAsked {
  return asked.kind === 'not_asked'
    ? { ...asked, why: `${what} (${asked.why})` }
    : notAsked(`${what} (Slack answered ${asked.code})`);
}

/**
 * Makes the way in which one client asks. Where Slack said to wait, no call of that method is made before, whoever
 * wants it: further calls would only prolong the limit.
 */
export function createAsk(options: { readonly patienceMs?: number } = {}): Ask {
  const patience = options.patienceMs ?? PATIENCE;
  const limited = new Map<string, number>();

  async function once<T>(method: string, call: () => Promise<T>): Promise<Asked<T>> {
    const wait = (limited.get(method) ?? 0) - performance.now();
    if (wait > 0) return notAsked(limitWords(wait), wait);
    try {
      return { kind: 'answered', value: await call() };
    } catch (error) {
      if (error instanceof WebAPIRateLimitedError) {
        const ms = error.retryAfter * 1_000;
        limited.set(method, performance.now() + ms);
        return notAsked(limitWords(ms), ms);
      }
      if (error instanceof WebAPIPlatformError) {
        const { error: code } = error.data;
        return isNoAnswer(code) ? notAsked(`Slack answered ${code}`) : { kind: 'refused', code };
      }
      return notAsked(error instanceof z.ZodError ? 'Slack gave an incomplete answer' : messageOf(error));
    }
  }

  return async (method, call, patienceMs = patience) => {
    const until = performance.now() + patienceMs;
    for (let delay = FIRST_DELAY; ; delay = Math.min(delay * 2, LONGEST_DELAY)) {
      const asked = await once(method, call);
      if (asked.kind !== 'not_asked') return asked;
      const wait = Math.max(delay, asked.retryAfterMs);
      if (performance.now() + wait > until) return asked;
      await sleep(wait);
    }
  };
}

function limitWords(ms: number): string {
  return `Slack's rate limit, for another ${Math.ceil(ms / 1_000)} s`;
}
