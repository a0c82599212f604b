import { z } from 'zod';
import type { ApiContext } from '../api-context.js';
import { SlackError } from '../errors.js';
import { findMessage, messageToWire } from '../messages.js';
import type { Message } from '../model.js';
import { APP } from '../people.js';
import { addReaction, EMOJI_NAME } from '../reactions.js';
import { visibleChannel } from './checks.js';
import { bool, type Method, method, str, TIER } from './method.js';

const target = {
  channel: str.optional(),
  timestamp: str.optional(),
  file: str.optional(),
  file_comment: str.optional(),
};

function targetOf(
  context: ApiContext,
  args: { channel?: string | undefined; timestamp?: string | undefined },
): Message {
  if (args.channel === undefined || args.timestamp === undefined) throw new SlackError('no_item_specified');
  if (!/^\d+\.\d{6}$/.test(args.timestamp)) throw new SlackError('bad_timestamp');
  const channel = visibleChannel(context, args.channel);
  const message = findMessage(context.world, channel.id, args.timestamp);
  if (message === undefined) throw new SlackError('message_not_found');
  return message;
}

const get = method('reactions.get', {
  scopes: ['reactions:read'],
  limit: TIER.three,
  args: z.object({ ...target, full: bool.optional() }),
  run(args, context) {
    const message = targetOf(context, args);
    const wire = messageToWire(context.world, message);
    // Without `full` Slack may list only some of the users of a reaction; the count is always right.
    if (args.full !== true && Array.isArray(wire.reactions)) {
      wire.reactions = message.reactions.map((r) => ({
        name: r.name,
        users: r.users.slice(0, 5),
        count: r.users.length,
      }));
    }
    return { type: 'message', channel: message.channel, message: wire };
  },
});

const add = method('reactions.add', {
  scopes: ['reactions:write'],
  limit: TIER.three,
  args: z.object({ ...target, name: str }),
  run(args, context) {
    const message = targetOf(context, args);
    if (!EMOJI_NAME.test(args.name)) throw new SlackError('invalid_name');
    if (!addReaction(context.world, message, APP.userId, args.name)) throw new SlackError('already_reacted');
    return {};
  },
});

/** Reactions. */
export const reactionMethods: readonly Method[] = [get, add];
