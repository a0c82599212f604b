import { VERIFICATION_TOKEN } from '../delivery/payloads.js';
import { PersonError } from '../errors.js';
import { arrayAt, isObject, type JsonObject } from '../json.js';
import { findMessage, messageToWire } from '../messages.js';
import { viewToWire } from '../modals.js';
import type { Channel, Person, ResponseTarget } from '../model.js';
import { APP, TEAM } from '../people.js';
import { newResponsePath, newTrigger } from '../triggers.js';
import { actor, channelOf, type Handler, type PeopleContext } from './context.js';
import { chosen, elementsOf, type Placed } from './elements.js';
import type { Taken } from './protocol.js';

/** Where the pressed element is, and what of it goes into the payload. */
interface Surface {
  blocks: JsonObject[];
  container: JsonObject;
  /** Members of the payload beside those that every action has. */
  extra: JsonObject;
  channel?: Channel;
  source?: NonNullable<ResponseTarget['source']>;
}

function surfaceOf(input: Taken<'press'>, context: PeopleContext, person: Person): Surface {
  const { world } = context;
  if (input.view_id !== undefined) {
    const home = world.homes.get(person.id);
    const view = home?.id === input.view_id ? home : world.views.get(input.view_id);
    if (view === undefined || view.user !== person.id) {
      throw new PersonError('view_not_found', `${person.name} has no view ${input.view_id} open`);
    }
    return {
      blocks: arrayAt(view.view, 'blocks').filter(isObject),
      container: { type: 'view', view_id: view.id },
      extra: { view: viewToWire(view) },
    };
  }
  const channel = channelOf(context, input.channel ?? '', person);
  const ts = input.ts ?? '';
  const channelMember = { id: channel.id, name: channel.isPrivate ? 'privategroup' : channel.name };
  const ephemeral = world.ephemerals.find(
    (e) => e.ts === ts && e.to === person.id && e.channel === channel.id,
  );
  if (ephemeral !== undefined) {
    return {
      blocks: ephemeral.blocks,
      container: { type: 'message', message_ts: ts, channel_id: channel.id, is_ephemeral: true },
      extra: { channel: channelMember },
      channel,
      source: { kind: 'ephemeral', ts },
    };
  }
  const message = findMessage(world, channel.id, ts);
  if (message === undefined) throw new PersonError('message_not_found', `There is no message ${ts}`);
  const thread = message.threadTs === undefined ? {} : { thread_ts: message.threadTs };
  return {
    blocks: message.blocks,
    container: {
      type: 'message',
      message_ts: ts,
      channel_id: channel.id,
      is_ephemeral: false,
      ...thread,
    },
    extra: { channel: channelMember, message: messageToWire(world, message) },
    channel,
    source: { kind: 'message', ts },
  };
}

function find(surface: Surface, input: Taken<'press'>): Placed {
  const all = elementsOf(surface.blocks);
  const placed = all.find(
    (p) =>
      p.actionId === input.action_id &&
      (input.block_id === undefined || p.blockId === input.block_id) &&
      // A value picks among buttons of one action_id in several blocks.
      (p.element.type !== 'button' || input.value === undefined || p.element.value === input.value),
  );
  if (placed === undefined) {
    const there = all.map((p) => p.actionId).join(', ') || 'none';
    throw new PersonError('no_such_element', `There is no ${input.action_id} to press; there are: ${there}`);
  }
  return placed;
}

/** Presses a button or picks from a menu, in a message, an ephemeral message or a view. */
export const press: Handler<'press'> = async (input, context) => {
  const { world } = context;
  const person = actor(context, input.user);
  if (!context.manifest.interactivity) throw new PersonError('not_interactive', 'Interactivity is off');
  const surface = surfaceOf(input, context, person);
  const { element, blockId, actionId } = find(surface, input);
  const choice = chosen(element, input.value);
  if (choice === undefined)
    throw new PersonError('no_such_option', `${actionId} does not offer ${input.value}`);
  const triggerId = newTrigger(world, person.id);
  const response =
    surface.channel === undefined
      ? {}
      : {
          response_url: `${context.origin()}${newResponsePath(world, 'actions', {
            user: person.id,
            channel: surface.channel.id,
            triggerId,
            ...(surface.source === undefined ? {} : { source: surface.source }),
          })}`,
        };
  const { type, text, style, confirm } = element;
  const given = { text, style, confirm };
  const reply = await context.deliveries.ask('interactive', {
    type: 'block_actions',
    user: { id: person.id, username: person.name, name: person.name, team_id: person.teamId },
    api_app_id: APP.id,
    token: VERIFICATION_TOKEN,
    container: surface.container,
    trigger_id: triggerId,
    team: { id: TEAM.id, domain: TEAM.domain },
    enterprise: null,
    is_enterprise_install: false,
    state: { values: {} },
    ...surface.extra,
    ...response,
    actions: [
      { type, action_id: actionId, block_id: blockId, ...given, ...choice, action_ts: world.nextTs() },
    ],
  });
  return reply.ok
    ? { ok: true, trigger_id: triggerId }
    : { ok: false, error: reply.error, trigger_id: triggerId };
};
