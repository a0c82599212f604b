import { z } from 'zod';
import type { ApiContext } from '../api-context.js';
import { checkBlocks, MAX_BLOCK_CHARACTERS, readableLength } from '../blockkit/blocks.js';
import { rejected, SlackError } from '../errors.js';
import { isObject, type JsonObject, jsonObject } from '../json.js';
import type { Channel, Message, Person } from '../model.js';
import { APP } from '../people.js';
import { requireScope } from './method.js';

/** The channel, if the app may know of it: a private channel without the bot does not exist for it. */
export function visibleChannel({ world }: ApiContext, id: string): Channel {
  const channel = world.channels.get(id);
  if (channel === undefined || (channel.isPrivate && !channel.members.has(APP.userId))) {
    throw new SlackError('channel_not_found');
  }
  return channel;
}

/** The channel, if the bot may write to it. */
export function writableChannel(context: ApiContext, id: string): Channel {
  const channel = visibleChannel(context, id);
  if (channel.isArchived) throw new SlackError('is_archived');
  if (!channel.members.has(APP.userId) && !context.manifest.scopes.has('chat:write.public')) {
    throw new SlackError('not_in_channel');
  }
  return channel;
}

/** The channel, if the bot may read what is said in it. */
export function readableChannel(context: ApiContext, id: string): Channel {
  const channel = visibleChannel(context, id);
  requireScope(context.manifest, [channel.isPrivate ? 'groups:history' : 'channels:history']);
  if (!channel.members.has(APP.userId)) throw new SlackError('not_in_channel');
  return channel;
}

/** The person, or `user_not_found`. */
export function knownUser({ world }: ApiContext, id: string): Person {
  const person = world.users.get(id);
  if (person === undefined) throw new SlackError('user_not_found');
  return person;
}

const blockList = z.array(jsonObject);

/**
 * The `blocks` argument of a message.
 *
 * @throws SlackError invalid_blocks_format, invalid_blocks or msg_blocks_too_long
 */
export function messageBlocks(value: unknown): JsonObject[] {
  if (value === undefined || value === null || value === '') return [];
  const blocks = blockList.safeParse(value);
  if (!blocks.success) throw new SlackError('invalid_blocks_format');
  const problems = checkBlocks(blocks.data, 'message');
  if (problems.length > 0) throw rejected('invalid_blocks', problems);
  if (readableLength(blocks.data) > MAX_BLOCK_CHARACTERS) throw new SlackError('msg_blocks_too_long');
  return blocks.data;
}

/** The `attachments` argument of a message; at most a hundred, as Slack advises twenty and takes a hundred. */
export function messageAttachments(value: unknown): JsonObject[] {
  if (value === undefined || value === null || value === '') return [];
  const attachments = blockList.safeParse(value);
  if (!attachments.success) throw new SlackError('invalid_attachments');
  if (attachments.data.length > 100) throw new SlackError('too_many_attachments');
  return attachments.data;
}

/** 16 kB of JSON. */
const MAX_METADATA = 16 * 1024;

/**
 * The `metadata` argument of a message: an object with `event_type` and `event_payload`. An empty object means
 * "none", which is how chat.update takes metadata away.
 */
export function messageMetadata(value: unknown): JsonObject | undefined {
  if (!isObject(value)) throw new SlackError('invalid_metadata_format');
  if (Object.keys(value).length === 0) return undefined;
  const { event_type, event_payload, ...rest } = value;
  if (typeof event_type !== 'string' || event_type === '' || !isObject(event_payload)) {
    throw new SlackError('invalid_metadata_format');
  }
  const unknown = Object.keys(rest).filter((key) => key !== 'entities');
  if (unknown.length > 0) throw new SlackError('invalid_metadata_schema');
  if (JSON.stringify(value).length > MAX_METADATA) throw new SlackError('metadata_too_large');
  return value;
}

/** The parent of the thread that a message is about to join. A reply cannot have replies. */
export function threadParent({ world }: ApiContext, channel: string, ts: string): Message {
  const parent = world.messages.get(channel)?.get(ts);
  if (parent === undefined || parent.threadTs !== undefined) throw new SlackError('invalid_thread_ts');
  return parent;
}
