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
  /** The app that it is the bot of; null until Slack has said that as well. */
  readonly appId: string | null;
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

/** Slack tells a bot's app in its profile, and `auth.test` does not. */
const OwnUser = z.object({ user: z.object({ profile: z.object({ api_app_id: z.string().min(1) }) }) });

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

/** Learns with `auth.test` who the bot is, and with `users.info` of which app. */
export function createIdentity(client: WebClient, log: Log): IdentitySource {
  let identity: Identity | null = null;
  const stopping = new AbortController();

  /** Asks until there is an answer that can be used, or nobody wants it any more. */
  async function ask(what: string, question: () => Promise<void>): Promise<void> {
    for (let delay = FIRST_DELAY; !stopping.signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY)) {
      try {
        return await question();
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ error: messageOf(error), delay }, `Slack did not say ${what}; asking again`);
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  async function askAll(): Promise<void> {
    await ask('who the bot is', async () => {
      const { user_id, bot_id, team_id, enterprise_id } = Answer.parse(await client.auth.test());
      identity = {
        userId: user_id,
        botId: bot_id,
        teamId: team_id,
        enterpriseId: enterprise_id ?? null,
        appId: null,
      };
    });
    await ask('which app the bot is of', async () => {
      if (identity === null) return;
      const { user } = OwnUser.parse(await client.users.info({ user: identity.userId }));
      identity = { ...identity, appId: user.profile.api_app_id };
    });
  }

  return {
    current: () => identity,
    start: () => void askAll(),
    stop: () => stopping.abort(),
  };
}
