import { VERIFICATION_TOKEN } from '../delivery/payloads.js';
import { PersonError, SlackError } from '../errors.js';
import { post } from '../messages.js';
import { APP, TEAM } from '../people.js';
import { parseAnswer, showAnswer } from '../responses.js';
import { newResponsePath, newTrigger } from '../triggers.js';
import { actor, channelOf, type Handler, type PeopleContext } from './context.js';
import { escapeTyped } from './escape.js';
import type { Got, Taken } from './protocol.js';
import { ephemeralSeen } from './seen.js';

/** Types a message or a command. */
export const say: Handler<'say'> = (input, context) => {
  const person = actor(context, input.user);
  const channel = channelOf(context, input.channel, person);
  if (channel.isArchived) throw new PersonError('is_archived', `#${channel.name} is archived`);
  if (input.text.startsWith('/')) return command(input, context);
  const text = escapeTyped(context.world, input.text, true);
  const thread = input.thread_ts === undefined ? {} : { threadTs: input.thread_ts };
  const message = post(context.world, { channel: channel.id, user: person.id, text, ...thread });
  return { ok: true, ts: message.ts, responses: [] };
};

async function command(input: Taken<'say'>, context: PeopleContext): Promise<Got<'say'>> {
  const { world } = context;
  const person = actor(context, input.user);
  const channel = channelOf(context, input.channel, person);
  const [name = '', ...rest] = input.text.split(/\s+/);
  const known = context.manifest.commands.get(name);
  if (known === undefined) throw new PersonError('unknown_command', `${name} is not a valid command`);
  if (person.isBot) throw new PersonError('not_human', 'Bots cannot use commands');
  if (input.thread_ts !== undefined) {
    throw new PersonError('not_in_thread', `${name} is not supported in threads`);
  }
  const startedAt = Number(world.nextTs());
  const triggerId = newTrigger(world, person.id);
  const target = { user: person.id, channel: channel.id, triggerId };
  const path = newResponsePath(world, 'commands', target);
  const typed = rest.length === 0 ? '' : input.text.slice(name.length).trim();
  const reply = await context.deliveries.ask('slash_commands', {
    token: VERIFICATION_TOKEN,
    team_id: TEAM.id,
    team_domain: TEAM.domain,
    channel_id: channel.id,
    channel_name: channel.isPrivate ? 'privategroup' : channel.name,
    user_id: person.id,
    user_name: person.name,
    command: name,
    text: escapeTyped(world, typed, known.shouldEscape),
    api_app_id: APP.id,
    is_enterprise_install: 'false',
    response_url: `${context.origin()}${path}`,
    trigger_id: triggerId,
  });
  if (!reply.ok) return { ok: false, error: reply.error, trigger_id: triggerId, responses: [] };
  try {
    const answer = parseAnswer(reply.body);
    if (answer !== undefined) showAnswer(world, target, answer, 'command');
  } catch (error) {
    if (!(error instanceof SlackError)) throw error;
    return { ok: false, error: 'invalid_command_response', trigger_id: triggerId, responses: [] };
  }
  // Looked for from the end: a benchmark leaves very many behind.
  const first = world.ephemerals.findLastIndex((e) => Number(e.ts) < startedAt);
  const responses = world.ephemerals.slice(first + 1).filter((e) => e.triggerId === triggerId);
  return { ok: true, trigger_id: triggerId, responses: responses.map(ephemeralSeen) };
}
