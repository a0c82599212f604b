import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { Sign } from '../runbook/command.js';
import type { Posted } from '../store/posted.js';
import { type Log, messageOf } from './log.js';
import { signOf } from './signs.js';

/** One person's emoji on a message that asks for approval. */
export interface Given {
  readonly user: string;
  readonly emoji: string;
  readonly sign: Sign;
}

/** Reads from Slack who reacted how on a gate's message, the bot itself left out; null when it cannot be read. */
export type ReadReactions = (gateKey: string) => Promise<readonly Given[] | null>;

const Answer = z.object({
  message: z.object({
    reactions: z.array(z.object({ name: z.string(), users: z.array(z.string()) })).default([]),
  }),
});

export function createReactionReader(deps: {
  readonly client: WebClient;
  readonly posted: Pick<Posted, 'get'>;
  readonly botUserId: () => string | null;
  readonly log: Log;
}): ReadReactions {
  return async (gateKey) => {
    const message = await deps.posted.get(gateKey);
    if (message === undefined) return null;
    try {
      // Without `full`, Slack may leave people out.
      const { channel, ts: timestamp } = message;
      const answer = Answer.parse(await deps.client.reactions.get({ channel, timestamp, full: true }));
      return answer.message.reactions.flatMap(({ name, users }) => {
        const sign = signOf(name);
        if (sign === null) return [];
        return users
          .filter((user) => user !== deps.botUserId())
          .map((user): Given => ({ user, emoji: name, sign }));
      });
    } catch (error) {
      deps.log.warn({ gateKey, error: messageOf(error) }, 'the reactions on a request could not be read');
      return null;
    }
  };
}
