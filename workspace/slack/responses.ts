import { checkBlocks } from './blockkit/blocks.js';
import { rejected, SlackError } from './errors.js';
import { arrayAt, isObject, type JsonObject, stringAt } from './json.js';
import { findMessage, post, withIds } from './messages.js';
import type { Ephemeral, ResponseTarget } from './model.js';
import { APP } from './people.js';
import type { World } from './world.js';

/** A `response_url` takes this many uses, this long. */
export const RESPONSE_USES = 5;
export const RESPONSE_LIFE_MS = 30 * 60_000;

/** What an app said in answer to a command or an action. */
export interface Answer {
  text: string;
  blocks: JsonObject[];
  inChannel: boolean;
  replaceOriginal: boolean;
  deleteOriginal: boolean;
  threadTs: string | undefined;
}

/**
 * Reads an answer; undefined when it says nothing.
 *
 * @throws SlackError invalid_blocks
 */
export function parseAnswer(body: unknown): Answer | undefined {
  if (!isObject(body)) return undefined;
  const deleteOriginal = body.delete_original === true;
  const text = stringAt(body, 'text') ?? '';
  const blocks = arrayAt(body, 'blocks').filter(isObject);
  if (text === '' && blocks.length === 0 && !deleteOriginal) return undefined;
  const problems = body.blocks === undefined ? [] : checkBlocks(body.blocks, 'message');
  if (problems.length > 0) throw rejected('invalid_blocks', problems);
  return {
    text,
    blocks,
    inChannel: body.response_type === 'in_channel',
    replaceOriginal: body.replace_original === true,
    deleteOriginal,
    threadTs: stringAt(body, 'thread_ts'),
  };
}

/** Shows an answer that is not about an existing message: to one person, or in the channel. */
export function showAnswer(
  world: World,
  target: Pick<ResponseTarget, 'channel' | 'user' | 'triggerId'>,
  answer: Answer,
  via: Ephemeral['via'],
): void {
  const { channel, user, triggerId } = target;
  const thread = answer.threadTs === undefined ? {} : { threadTs: answer.threadTs };
  const content = { text: answer.text, blocks: withIds(answer.blocks) };
  if (answer.inChannel) {
    post(world, { channel, user: APP.userId, ...content, ...thread });
    return;
  }
  const ts = world.nextTs();
  world.ephemerals.push({ channel, ts, to: user, ...content, via, triggerId, ...thread });
  world.changes.add({ kind: 'ephemeral', channel, ts, user, detail: triggerId });
}

/**
 * Uses a `response_url`.
 *
 * @throws SlackError expired_url, used_url, invalid_blocks, no_text
 */
export function respond(world: World, target: ResponseTarget, body: unknown): void {
  if (world.now() - target.at > RESPONSE_LIFE_MS) throw new SlackError('expired_url');
  if (target.uses >= RESPONSE_USES) throw new SlackError('used_url');
  const answer = parseAnswer(body);
  if (answer === undefined) throw new SlackError('no_text');
  target.uses += 1;
  if (target.source === undefined || !(answer.replaceOriginal || answer.deleteOriginal)) {
    showAnswer(world, target, answer, 'response_url');
    return;
  }
  if (target.source.kind === 'ephemeral') changeEphemeral(world, target, target.source.ts, answer);
  else changeMessage(world, target, target.source.ts, answer);
}

function changeEphemeral(world: World, target: ResponseTarget, ts: string, answer: Answer): void {
  const at = world.ephemerals.findIndex((e) => e.ts === ts && e.to === target.user);
  const shown = world.ephemerals[at];
  if (shown === undefined) throw new SlackError('message_not_found');
  if (answer.deleteOriginal) world.ephemerals.splice(at, 1);
  else {
    shown.text = answer.text;
    shown.blocks = withIds(answer.blocks);
  }
  world.changes.add({ kind: 'ephemeral', channel: target.channel, ts, user: target.user });
}

function changeMessage(world: World, target: ResponseTarget, ts: string, answer: Answer): void {
  const message = findMessage(world, target.channel, ts);
  if (message === undefined) throw new SlackError('message_not_found');
  if (answer.deleteOriginal) {
    world.messages.get(target.channel)?.delete(ts);
    world.changes.add({ kind: 'message_deleted', channel: target.channel, ts });
    return;
  }
  message.text = answer.text;
  message.blocks = withIds(answer.blocks);
  message.edited = { user: APP.userId, ts: world.nextTs() };
  world.changes.add({ kind: 'message_changed', channel: target.channel, ts, user: APP.userId });
}
