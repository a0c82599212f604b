import { WebClient } from '@slack/web-api';
import type { SlackConfig } from '../config.js';
import { boltLogger, type Log } from './log.js';

/** Longest wait for one answer of Slack, ms: a person is waiting, or a gate. */
const INTERACTIVE_TIMEOUT = 4_000;
const BACKGROUND_TIMEOUT = 15_000;

/** Two ways to Slack. A client that meets a rate limit pauses all its calls, so people get one of their own. */
export interface SlackClients {
  /** For look-ups and answers: fails quickly, also at a rate limit. */
  readonly interactive: WebClient;
  /** For the publisher: waits out rate limits, and leaves trying again to its caller, who looks first. */
  readonly background: WebClient;
}

export function createSlackClients(
  { botToken, apiUrl }: Pick<SlackConfig, 'botToken' | 'apiUrl'>,
  log: Log,
): SlackClients {
  // Each client gets an object of its own: web-api writes to the options it is given.
  const common = () => ({ slackApiUrl: apiUrl, logger: boltLogger(log) });
  return {
    interactive: new WebClient(botToken, {
      ...common(),
      timeout: INTERACTIVE_TIMEOUT,
      rejectRateLimitedCalls: true,
      retryConfig: { retries: 1, minTimeout: 100, maxTimeout: 200 },
    }),
    background: new WebClient(botToken, {
      ...common(),
      timeout: BACKGROUND_TIMEOUT,
      // A post that ended without an answer may stand in Slack: it is looked for, not sent again.
      retryConfig: { retries: 0 },
    }),
  };
}
