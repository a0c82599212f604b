import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { NotedHead } from '../store/heads.js';

const Page = z.object({
  messages: z.array(
    z.object({
      user: z.string().optional(),
      text: z.string().default(''),
      blocks: z.array(z.unknown()).default([]),
    }),
  ),
  response_metadata: z.looseObject({ next_cursor: z.string().default('') }).optional(),
});

/** Pages of 200 messages, newest first. */
const MOST_PAGES = 5;

/**
 * Reads the heads of the journal that the bot has told in a channel, from messages that stand there still. A message
 * that is gone says nothing: a workspace's retention deletes them.
 * @param sinceMs ms since the epoch: what is older is left out
 * @throws when Slack cannot be asked
 */
export async function readChannelHeads(
  client: WebClient,
  place: { readonly channel: string; readonly botUserId: string; readonly sinceMs: number },
): Promise<NotedHead[]> {
  const heads: NotedHead[] = [];
  let cursor = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const more = cursor === '' ? {} : { cursor };
    const oldest = (place.sinceMs / 1_000).toFixed(6);
    const answer = await client.conversations.history({
      channel: place.channel,
      limit: 200,
      oldest,
      ...more,
    });
    const { messages, response_metadata } = Page.parse(answer);
    for (const message of messages) {
      // Anybody may write such a line; the bot's own count.
      if (message.user === place.botUserId)
        heads.push(...headsIn(message.text, JSON.stringify(message.blocks)));
    }
    cursor = response_metadata?.next_cursor ?? '';
    if (cursor === '') break;
  }
  return heads;
}

/** The words of `chainWords`. */
function headsIn(...texts: readonly string[]): NotedHead[] {
  const found = texts.flatMap((text) => [
    ...text.matchAll(/Journal position (\d{1,15}), chain `([0-9a-f]{64})`/g),
  ]);
  return found.map(
    ([, position, hash]): NotedHead => ({
      position: Number(position),
      hash: hash ?? '',
      place: 'channel',
    }),
  );
}
