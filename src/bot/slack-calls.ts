import { z } from 'zod';
import type { Slack } from '../clients/slack.js';
import type { Rendered } from './render/message.js';

/** Marks the bot's messages, so that one can be found again when nobody knows whether it was posted. */
export const METADATA_TYPE = 'm10bot';

/** What a message carries about itself, unseen by people. */
export interface MessageMark {
  /** Under which it is remembered, such as `run:7:card`. */
  readonly key: string;
  readonly stream: string;
  readonly version: number;
  /** The last journal position that it tells of. */
  readonly through: number;
}

export interface Place {
  readonly channel: string;
  readonly threadTs?: string | undefined;
}

const Sent = z.looseObject({ ts: z.string().min(1) });

/**
 * Posts a message. Nothing in it unfurls, and names and `@channel` in plain text stay text.
 * @returns its `ts`
 * @throws SlackCallError
 */
export async function postMessage(
  slack: Slack,
  place: Place & { readonly broadcast?: boolean },
  message: Rendered,
  mark: MessageMark,
): Promise<string> {
  const answer = await slack.call('chat.postMessage', {
    channel: place.channel,
    text: message.text,
    ...(message.blocks.length === 0 ? {} : { blocks: message.blocks }),
    ...(place.threadTs === undefined ? {} : { thread_ts: place.threadTs }),
    ...(place.broadcast === true && place.threadTs !== undefined ? { reply_broadcast: true } : {}),
    metadata: { event_type: METADATA_TYPE, event_payload: { ...mark } },
    unfurl_links: false,
    unfurl_media: false,
  });
  return Sent.parse(answer).ts;
}

/**
 * Replaces what a message shows; without blocks, those it had go.
 * @throws SlackCallError
 */
export async function updateMessage(
  slack: Slack,
  at: { readonly channel: string; readonly ts: string },
  message: Rendered,
): Promise<void> {
  await slack.call('chat.update', {
    channel: at.channel,
    ts: at.ts,
    text: message.text,
    ...(message.blocks.length === 0 ? {} : { blocks: message.blocks }),
  });
}

const Page = z.looseObject({
  messages: z.array(
    z.looseObject({
      ts: z.string(),
      metadata: z
        .looseObject({ event_type: z.string(), event_payload: z.record(z.string(), z.unknown()) })
        .optional(),
      files: z.array(z.looseObject({ id: z.string().optional(), name: z.string().nullish() })).optional(),
    }),
  ),
  response_metadata: z.looseObject({ next_cursor: z.string().optional() }).optional(),
});
type FoundMessage = z.infer<typeof Page>['messages'][number];

/** More pages than any thread of a run has; a look must come to an end. */
const MOST_PAGES = 50;

/** Looks through a channel, or a thread, from a moment on, until a message fits. */
async function find<T>(
  slack: Slack,
  place: Place,
  sinceMs: number,
  fits: (message: FoundMessage) => T | undefined,
): Promise<T | undefined> {
  const { channel, threadTs } = place;
  const method = threadTs === undefined ? 'conversations.history' : 'conversations.replies';
  let cursor = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await slack.call(method, {
      channel,
      ...(threadTs === undefined ? {} : { ts: threadTs }),
      oldest: (sinceMs / 1_000).toFixed(6),
      limit: 200,
      include_all_metadata: true,
      ...(cursor === '' ? {} : { cursor }),
    });
    const { messages, response_metadata } = Page.parse(answer);
    for (const each of messages) {
      const found = fits(each);
      if (found !== undefined) return found;
    }
    cursor = response_metadata?.next_cursor ?? '';
    if (cursor === '') return undefined;
  }
  return undefined;
}

const Through = z.coerce.number().int();

/**
 * Looks for a message of the bot by its key.
 * @param sinceMs ms since 1970: it cannot be older
 * @throws SlackCallError
 */
export function findMessage(
  slack: Slack,
  place: Place,
  key: string,
  sinceMs: number,
): Promise<{ readonly ts: string; readonly through: number } | undefined> {
  return find(slack, place, sinceMs, ({ ts, metadata }) => {
    if (metadata?.event_type !== METADATA_TYPE || metadata.event_payload.key !== key) return undefined;
    const through = Through.safeParse(metadata.event_payload.through);
    return { ts, through: through.success ? through.data : 0 };
  });
}

/**
 * Looks for a shared file by its name: files carry no metadata, so their names are unique to what they show.
 * @returns its id
 * @throws SlackCallError
 */
export function findFile(
  slack: Slack,
  place: Place,
  filename: string,
  sinceMs: number,
): Promise<string | undefined> {
  return find(
    slack,
    place,
    sinceMs,
    ({ files }) => files?.find((file) => file.name === filename && file.id !== undefined)?.id,
  );
}
