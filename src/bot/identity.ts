import { setTimeout as sleep } from 'node:timers/promises';
import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import { type Log, messageOf } from './log.js';

/** Who the bot is in its workspace. */
export interface Identity {
  readonly userId: string;
  readonly botId: string;
  readonly teamId: string;
  /** On Enterprise Grid. */
  readonly enterpriseId: string | null;
}

export interface IdentitySource {
  /** What Slack has said; null until it was reached. */
  current(): Identity | null;
  /** Asks until Slack answers, so that Slack being down at start is no reason to end. */
  start(): void;
  stop(): void;
}

const Answer = z.object({
  user_id: z.string(),
  bot_id: z.string(),
  team_id: z.string(),
  enterprise_id: z.string().nullish(),
});

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

/** Learns with `auth.test` who the bot is. */
export function createIdentity(client: WebClient, log: Log): IdentitySource {
  let identity: Identity | null = null;
  const stopping = new AbortController();

  async function ask(): Promise<void> {
    for (let delay = FIRST_DELAY; !stopping.signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY)) {
      try {
        const { user_id, bot_id, team_id, enterprise_id } = Answer.parse(await client.auth.test());
        identity = { userId: user_id, botId: bot_id, teamId: team_id, enterpriseId: enterprise_id ?? null };
        return;
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ error: messageOf(error), delay }, 'Slack did not say who the bot is; asking again');
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  return {
    current: () => identity,
    start: () => void ask(),
    stop: () => stopping.abort(),
  };
}
