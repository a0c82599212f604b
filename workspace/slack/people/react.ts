import { eventPayload } from '../delivery/payloads.js';
import { PersonError } from '../errors.js';
import { findMessage } from '../messages.js';
import { APP } from '../people.js';
import { addReaction, EMOJI_NAME, reactionName, removeReaction } from '../reactions.js';
import { actor, channelOf, type Handler, type PeopleContext } from './context.js';
import type { Taken } from './protocol.js';

function change(
  input: Taken<'react'>,
  context: PeopleContext,
  type: 'reaction_added' | 'reaction_removed',
): void {
  const { world } = context;
  const person = actor(context, input.user);
  const channel = channelOf(context, input.channel, person);
  const message = findMessage(world, channel.id, input.ts);
  if (message === undefined) throw new PersonError('message_not_found', `There is no message ${input.ts}`);
  const name = reactionName(input.emoji);
  if (!EMOJI_NAME.test(name)) throw new PersonError('invalid_name', `${input.emoji} is not an emoji here`);
  const changed =
    type === 'reaction_added'
      ? addReaction(world, message, person.id, name)
      : removeReaction(world, message, person.id, name);
  if (!changed) {
    throw new PersonError(
      type === 'reaction_added' ? 'already_reacted' : 'no_reaction',
      `${person.name} and ${name}: nothing to change`,
    );
  }
  // An app hears of reactions only in channels that its bot is in.
  if (!context.manifest.events.has(type) || !channel.members.has(APP.userId)) return;
  const event = {
    type,
    user: person.id,
    reaction: name,
    item: { type: 'message', channel: channel.id, ts: message.ts },
    item_user: message.user,
    event_ts: world.nextTs(),
  };
  context.deliveries.event(eventPayload(world, event, channel.id));
}

export const react: Handler<'react'> = (input, context) => {
  change(input, context, 'reaction_added');
  return { ok: true };
};

export const unreact: Handler<'unreact'> = (input, context) => {
  change(input, context, 'reaction_removed');
  return { ok: true };
};
