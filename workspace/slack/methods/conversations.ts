import { z } from 'zod';
import { SlackError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { findMessage, messagesOf, messageToWire, repliesTo } from '../messages.js';
import type { Channel, Message } from '../model.js';
import { APP, OTHER_TEAM_ID, TEAM } from '../people.js';
import { readableChannel, visibleChannel } from './checks.js';
import { bool, int, type Method, method, requireScope, str, TIER } from './method.js';
import { cursorOf, page } from './paging.js';

function channelToWire(channel: Channel): JsonObject {
  return {
    id: channel.id,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: !channel.isPrivate,
    is_group: false,
    is_im: false,
    is_mpim: false,
    is_private: channel.isPrivate,
    is_archived: channel.isArchived,
    is_general: false,
    is_shared: channel.isExtShared,
    is_ext_shared: channel.isExtShared,
    is_org_shared: false,
    is_pending_ext_shared: false,
    is_member: channel.members.has(APP.userId),
    created: 1_700_000_000,
    creator: 'U0ALICE001',
    context_team_id: TEAM.id,
    shared_team_ids: channel.isExtShared ? [TEAM.id, OTHER_TEAM_ID] : [TEAM.id],
    topic: { value: '', creator: '', last_set: 0 },
    purpose: { value: '', creator: '', last_set: 0 },
  };
}

const READ = ['channels:read', 'groups:read'];

const info = method('conversations.info', {
  scopes: READ,
  limit: TIER.three,
  args: z.object({
    channel: str.default(''),
    include_num_members: bool.optional(),
    include_locale: bool.optional(),
  }),
  run(args, context) {
    const channel = visibleChannel(context, args.channel);
    requireScope(context.manifest, [channel.isPrivate ? 'groups:read' : 'channels:read']);
    const wire = channelToWire(channel);
    return { channel: args.include_num_members ? { ...wire, num_members: channel.members.size } : wire };
  },
});

const members = method('conversations.members', {
  scopes: READ,
  limit: TIER.four,
  args: z.object({
    channel: str.default(''),
    cursor: str.optional(),
    limit: int.min(1).max(1000).default(100),
  }),
  run(args, context) {
    const channel = visibleChannel(context, args.channel);
    requireScope(context.manifest, [channel.isPrivate ? 'groups:read' : 'channels:read']);
    const { items, next } = page([...channel.members], args.limit, cursorOf(args.cursor));
    return { members: items, response_metadata: { next_cursor: next } };
  },
});

const range = {
  channel: str.default(''),
  cursor: str.optional(),
  limit: int.min(1).max(999).default(100),
  oldest: str.default('0'),
  latest: str.optional(),
  inclusive: bool.default(false),
  include_all_metadata: bool.default(false),
};

function within(args: { oldest: string; latest?: string | undefined; inclusive: boolean }) {
  const oldest = Number(args.oldest);
  const latest = args.latest === undefined ? Number.POSITIVE_INFINITY : Number(args.latest);
  if (Number.isNaN(oldest)) throw new SlackError('invalid_ts_oldest');
  if (Number.isNaN(latest)) throw new SlackError('invalid_ts_latest');
  return (message: Message) => {
    const ts = Number(message.ts);
    return args.inclusive ? ts >= oldest && ts <= latest : ts > oldest && ts < latest;
  };
}

const HISTORY = ['channels:history', 'groups:history'];

const history = method('conversations.history', {
  scopes: HISTORY,
  limit: TIER.three,
  args: z.object(range),
  run(args, context) {
    const channel = readableChannel(context, args.channel);
    const all = messagesOf(context.world, channel.id)
      .filter((m) => m.threadTs === undefined || m.broadcast === true)
      .filter(within(args))
      .reverse();
    const { items, next } = page(all, args.limit, cursorOf(args.cursor));
    return {
      messages: items.map((m) => messageToWire(context.world, m, args.include_all_metadata)),
      has_more: next !== '',
      pin_count: 0,
      response_metadata: { next_cursor: next },
    };
  },
});

const replies = method('conversations.replies', {
  scopes: HISTORY,
  limit: TIER.three,
  args: z.object({ ...range, ts: str }),
  run(args, context) {
    const channel = readableChannel(context, args.channel);
    const message = findMessage(context.world, channel.id, args.ts);
    if (message === undefined) throw new SlackError('thread_not_found');
    // Asked for a reply, Slack gives that reply alone.
    const thread = message.threadTs === undefined ? repliesTo(context.world, message) : [];
    const { items, next } = page(thread.filter(within(args)), args.limit, cursorOf(args.cursor));
    return {
      messages: [message, ...items].map((m) => messageToWire(context.world, m, args.include_all_metadata)),
      has_more: next !== '',
      response_metadata: { next_cursor: next },
    };
  },
});

/** Channels and what was said in them. */
export const conversationMethods: readonly Method[] = [info, members, history, replies];
