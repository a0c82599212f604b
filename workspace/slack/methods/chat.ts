import { z } from 'zod';
import { SlackError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { findMessage, messageToWire, post, withIds } from '../messages.js';
import type { Message } from '../model.js';
import { APP, TEAM } from '../people.js';
import {
  messageAttachments,
  messageBlocks,
  messageMetadata,
  threadParent,
  visibleChannel,
  writableChannel,
} from './checks.js';
import { bool, json, type Method, method, str, TIER } from './method.js';

const content = {
  text: str.optional(),
  blocks: json.optional(),
  attachments: json.optional(),
};

/** postMessage cuts text here; update refuses longer text than its own limit. */
const MAX_TEXT = 40_000;
const MAX_UPDATE_TEXT = 4000;

const postMessage = method('chat.postMessage', {
  scopes: ['chat:write'],
  limit: { kind: 'per_channel' },
  args: z.object({
    channel: str.default(''),
    ...content,
    thread_ts: str.optional(),
    reply_broadcast: bool.optional(),
    metadata: json.optional(),
    unfurl_links: bool.optional(),
    unfurl_media: bool.optional(),
    link_names: bool.optional(),
    mrkdwn: bool.optional(),
    parse: z.enum(['full', 'none']).optional(),
  }),
  run(args, context) {
    const channel = writableChannel(context, args.channel);
    const said = contentOf(args);
    if (said.text.length > MAX_TEXT) throw new SlackError('msg_too_long');
    const parent = args.thread_ts ? threadParent(context, channel.id, args.thread_ts) : undefined;
    const metadata = args.metadata === undefined ? undefined : messageMetadata(args.metadata);
    const message = post(context.world, {
      channel: channel.id,
      user: APP.userId,
      ...said,
      ...(parent === undefined ? {} : { threadTs: parent.ts, broadcast: args.reply_broadcast ?? false }),
      ...(metadata === undefined ? {} : { metadata }),
    });
    return {
      channel: channel.id,
      ts: message.ts,
      message: messageToWire(context.world, message, true),
    };
  },
});

function contentOf(args: { text?: string | undefined; blocks?: unknown; attachments?: unknown }) {
  const blocks = messageBlocks(args.blocks);
  const attachments = messageAttachments(args.attachments);
  const text = args.text ?? '';
  if (text === '' && blocks.length === 0 && attachments.length === 0) throw new SlackError('no_text');
  return { text, blocks, attachments };
}

function ownMessage(found: Message | undefined, error: string): Message {
  if (found === undefined) throw new SlackError('message_not_found');
  if (found.user !== APP.userId) throw new SlackError(error);
  return found;
}

const update = method('chat.update', {
  scopes: ['chat:write'],
  limit: TIER.three,
  args: z.object({
    channel: str.default(''),
    ts: str,
    ...content,
    metadata: json.optional(),
    as_user: bool.optional(),
    link_names: bool.optional(),
    parse: z.string().optional(),
    reply_broadcast: bool.optional(),
    file_ids: json.optional(),
  }),
  run(args, context) {
    const { world } = context;
    const channel = writableChannel(context, args.channel);
    const message = ownMessage(findMessage(world, channel.id, args.ts), 'cant_update_message');
    const said = contentOf(args);
    if (said.text.length > MAX_UPDATE_TEXT) throw new SlackError('msg_too_long');
    if (args.metadata !== undefined) {
      const metadata = messageMetadata(args.metadata);
      if (metadata === undefined) delete message.metadata;
      else message.metadata = metadata;
    }
    // Text without blocks takes the blocks away. Blocks alone leave the text, which then stays as fallback.
    if (args.blocks !== undefined || args.text !== undefined) message.blocks = withIds(said.blocks);
    if (args.text !== undefined) message.text = said.text;
    if (args.attachments !== undefined) message.attachments = said.attachments;
    message.edited = { user: APP.userId, ts: world.nextTs() };
    world.changes.add({ kind: 'message_changed', channel: channel.id, ts: message.ts, user: APP.userId });
    return {
      channel: channel.id,
      ts: message.ts,
      text: message.text,
      message: messageToWire(world, message, true),
    };
  },
});

const remove = method('chat.delete', {
  scopes: ['chat:write'],
  limit: TIER.three,
  args: z.object({ channel: str.default(''), ts: str, as_user: bool.optional() }),
  run(args, context) {
    const channel = visibleChannel(context, args.channel);
    const found = findMessage(context.world, channel.id, args.ts);
    const message = ownMessage(found, 'cant_delete_message');
    context.world.messages.get(channel.id)?.delete(message.ts);
    context.world.changes.add({ kind: 'message_deleted', channel: channel.id, ts: message.ts });
    return { channel: channel.id, ts: message.ts };
  },
});

const postEphemeral = method('chat.postEphemeral', {
  scopes: ['chat:write'],
  limit: TIER.four,
  args: z.object({
    channel: str.default(''),
    user: str,
    ...content,
    thread_ts: str.optional(),
    link_names: bool.optional(),
    parse: z.string().optional(),
  }),
  run(args, context): JsonObject {
    const channel = writableChannel(context, args.channel);
    if (!channel.members.has(args.user)) throw new SlackError('user_not_in_channel');
    const { text, blocks } = contentOf(args);
    if (text.length > MAX_TEXT) throw new SlackError('msg_too_long');
    const ts = context.world.nextTs();
    context.world.ephemerals.push({
      channel: channel.id,
      ts,
      to: args.user,
      text,
      blocks: withIds(blocks),
      via: 'postEphemeral',
      ...(args.thread_ts === undefined ? {} : { threadTs: args.thread_ts }),
    });
    context.world.changes.add({ kind: 'ephemeral', channel: channel.id, ts, user: args.user });
    return { message_ts: ts };
  },
});

const getPermalink = method('chat.getPermalink', {
  limit: { kind: 'none' },
  args: z.object({ channel: str.default(''), message_ts: str }),
  run(args, context) {
    const channel = visibleChannel(context, args.channel);
    const message = findMessage(context.world, channel.id, args.message_ts);
    if (message === undefined) throw new SlackError('message_not_found');
    const thread = message.threadTs === undefined ? '' : `?thread_ts=${message.threadTs}&cid=${channel.id}`;
    const permalink = `https://${TEAM.domain}.slack.com/archives/${channel.id}/p${message.ts.replace('.', '')}${thread}`;
    return { channel: channel.id, permalink };
  },
});

/** Writing messages. */
export const chatMethods: readonly Method[] = [postMessage, update, remove, postEphemeral, getPermalink];
