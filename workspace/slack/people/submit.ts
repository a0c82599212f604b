import { VERIFICATION_TOKEN } from '../delivery/payloads.js';
import { PersonError, SlackError } from '../errors.js';
import { arrayAt, isObject, type JsonObject } from '../json.js';
import { parseView } from '../methods/views.js';
import { closeTop, newView, replaceView, topView, viewToWire } from '../modals.js';
import type { OpenView, Person } from '../model.js';
import { APP, TEAM } from '../people.js';
import { newTrigger } from '../triggers.js';
import type { World } from '../world.js';
import { actor, type Handler, type PeopleContext } from './context.js';
import { chosen, elementsOf, isEmpty } from './elements.js';
import type { Got } from './protocol.js';

function openView(context: PeopleContext, person: Person, id: string): OpenView {
  const top = topView(context.world, person.id);
  if (top === undefined || top.id !== id) {
    throw new PersonError('view_not_found', `${person.name} does not look at the view ${id}`);
  }
  return top;
}

/** What the person filled in, and what Slack's own client would refuse about it. */
function fillIn(opened: OpenView, given: JsonObject): { values: JsonObject; errors: Record<string, string> } {
  const values: Record<string, JsonObject> = {};
  const errors: Record<string, string> = {};
  const blocks = arrayAt(opened.view, 'blocks').filter(isObject);
  for (const { blockId, actionId, element } of elementsOf(blocks)) {
    if (element.type === 'button') continue;
    const inBlock = given[blockId];
    const value = isObject(inBlock) ? inBlock[actionId] : given[actionId];
    const choice = chosen(element, value);
    const block = blocks.find((b) => b.block_id === blockId);
    if (choice === undefined) errors[blockId] = 'There is no such option.';
    else if (block?.type === 'input' && block.optional !== true && isEmpty(choice)) {
      errors[blockId] = 'Please complete this required field.';
    } else if (typeof choice.value === 'string') {
      const { min_length: min, max_length: max } = element;
      const { length } = choice.value;
      if (typeof min === 'number' && length < min) errors[blockId] = `Please use at least ${min} characters.`;
      if (typeof max === 'number' && length > max) errors[blockId] = `Please use at most ${max} characters.`;
    }
    values[blockId] = { ...values[blockId], [actionId]: { type: element.type, ...choice } };
  }
  return { values, errors };
}

function afterAnswer(world: World, opened: OpenView, body: unknown): Got<'submit'> {
  const action = isObject(body) ? body : {};
  switch (action.response_action) {
    case 'errors': {
      const entries = isObject(action.errors) ? Object.entries(action.errors) : [];
      const errors = Object.fromEntries(entries.map(([block, text]) => [block, String(text)]));
      return { ok: false, error: 'errors', errors, closed: false };
    }
    case 'update':
      replaceView(world, opened, parseView(action.view, 'modal'));
      return { ok: true, closed: false };
    case 'push':
      newView(world, opened.user, parseView(action.view, 'modal'), opened);
      return { ok: true, closed: false };
    case 'clear':
      while (topView(world, opened.user) !== undefined) closeTop(world, opened.user);
      return { ok: true, closed: true };
    default:
      closeTop(world, opened.user);
      return { ok: true, closed: true };
  }
}

function payload(type: 'view_submission' | 'view_closed', person: Person, view: JsonObject): JsonObject {
  return {
    type,
    team: { id: TEAM.id, domain: TEAM.domain },
    user: { id: person.id, username: person.name, name: person.name, team_id: person.teamId },
    api_app_id: APP.id,
    token: VERIFICATION_TOKEN,
    view,
    is_enterprise_install: false,
    enterprise: null,
  };
}

/** Submits the modal that the person looks at. */
export const submit: Handler<'submit'> = async (input, context) => {
  const { world } = context;
  const person = actor(context, input.user);
  const opened = openView(context, person, input.view_id);
  const { values, errors } = fillIn(opened, input.values);
  if (Object.keys(errors).length > 0) return { ok: false, error: 'errors', errors, closed: false };
  const triggerId = newTrigger(world, person.id);
  const reply = await context.deliveries.ask('interactive', {
    ...payload('view_submission', person, viewToWire(opened, values)),
    trigger_id: triggerId,
    response_urls: [],
  });
  if (!reply.ok) return { ok: false, error: reply.error, closed: false };
  try {
    return { ...afterAnswer(world, opened, reply.body), trigger_id: triggerId };
  } catch (error) {
    if (!(error instanceof SlackError)) throw error;
    return { ok: false, error: 'invalid_view_response', closed: false };
  }
};

/** Closes the modal that the person looks at; the app hears of it when it asked to. */
export const closeView: Handler<'closeView'> = async (input, context) => {
  const person = actor(context, input.user);
  const opened = openView(context, person, input.view_id);
  closeTop(context.world, person.id);
  if (opened.view.notify_on_close !== true) return { ok: true };
  const reply = await context.deliveries.ask('interactive', {
    ...payload('view_closed', person, viewToWire(opened)),
    is_cleared: false,
  });
  return reply.ok ? { ok: true } : { ok: false, error: reply.error };
};
