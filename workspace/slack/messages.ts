import { randomBytes } from 'node:crypto';
import { fileToWire } from './files.js';
import { isObject, type JsonObject } from './json.js';
import type { Message } from './model.js';
import { APP, TEAM } from './people.js';
import type { World } from './world.js';

/** What a new message says; everything else is worked out. */
export interface NewMessage {
  channel: string;
  user: string;
  text: string;
  blocks?: JsonObject[];
  attachments?: JsonObject[];
  threadTs?: string;
  broadcast?: boolean;
  metadata?: JsonObject;
  files?: string[];
}

function withId(value: JsonObject, key: string): JsonObject {
  return value[key] === undefined
    ? { ...value, [key]: randomBytes(4).toString('base64url').slice(0, 5) }
    : value;
}

const INTERACTIVE = /_select$|^button$|picker$|^overflow$|^checkboxes$|^radio_buttons$|_input$/;

function element(value: unknown): unknown {
  return isObject(value) && typeof value.type === 'string' && INTERACTIVE.test(value.type)
    ? withId(value, 'action_id')
    : value;
}

/** Slack gives every block and every interactive element an id when the app gave none. */
export function withIds(blocks: readonly JsonObject[]): JsonObject[] {
  return blocks.map((block) => {
    const out = withId(block, 'block_id');
    if (Array.isArray(out.elements)) out.elements = out.elements.map(element);
    if (out.accessory !== undefined) out.accessory = element(out.accessory);
    if (out.element !== undefined) out.element = element(out.element);
    return out;
  });
}

/** Puts a message into a channel and tells whoever watches. */
export function post(world: World, message: NewMessage): Message {
  const author = world.users.get(message.user);
  const stored: Message = {
    channel: message.channel,
    ts: world.nextTs(),
    user: message.user,
    ...(author?.botId === undefined ? {} : { botId: author.botId }),
    ...(author?.appId === undefined ? {} : { appId: author.appId }),
    text: message.text,
    blocks: withIds(message.blocks ?? []),
    attachments: message.attachments ?? [],
    ...(message.threadTs === undefined ? {} : { threadTs: message.threadTs }),
    ...(message.broadcast === true ? { broadcast: true } : {}),
    ...(message.metadata === undefined ? {} : { metadata: message.metadata }),
    reactions: [],
    files: message.files ?? [],
  };
  const channel = world.messages.get(message.channel) ?? new Map<string, Message>();
  world.messages.set(message.channel, channel);
  channel.set(stored.ts, stored);
  world.changes.add({ kind: 'message', channel: stored.channel, ts: stored.ts, user: stored.user });
  return stored;
}

/** The message with this timestamp, in this channel. */
export function findMessage(world: World, channel: string, ts: string): Message | undefined {
  return world.messages.get(channel)?.get(ts);
}

/** All messages of a channel, oldest first. */
export function messagesOf(world: World, channel: string): Message[] {
  return [...(world.messages.get(channel)?.values() ?? [])];
}

/** Replies to a message, oldest first. */
export function repliesTo(world: World, parent: Message): Message[] {
  return messagesOf(world, parent.channel).filter((m) => m.threadTs === parent.ts);
}

/**
 * A message as the Web API and the payloads of actions carry it.
 *
 * @param withMetadata - history gives metadata only when it is asked for
 */
export function messageToWire(world: World, message: Message, withMetadata = false): JsonObject {
  const replies = repliesTo(world, message);
  const bot = message.botId === undefined ? {} : { bot_id: message.botId, app_id: message.appId };
  return {
    type: 'message',
    user: message.user,
    ...bot,
    ...(message.botId === APP.botId
      ? { bot_profile: { id: APP.botId, app_id: APP.id, name: APP.name, deleted: false, team_id: TEAM.id } }
      : {}),
    text: message.text,
    team: world.users.get(message.user)?.teamId ?? TEAM.id,
    ts: message.ts,
    ...(message.blocks.length > 0 ? { blocks: message.blocks } : {}),
    ...(message.attachments.length > 0 ? { attachments: message.attachments } : {}),
    ...(message.edited === undefined ? {} : { edited: message.edited }),
    ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs }),
    ...(message.tombstone === true ? { subtype: 'tombstone' } : {}),
    ...(message.broadcast === true ? { subtype: 'thread_broadcast' } : {}),
    ...(replies.length > 0
      ? {
          thread_ts: message.ts,
          reply_count: replies.length,
          reply_users: [...new Set(replies.map((r) => r.user))],
          reply_users_count: new Set(replies.map((r) => r.user)).size,
          latest_reply: replies.at(-1)?.ts,
          is_locked: false,
          subscribed: true,
        }
      : {}),
    ...(message.reactions.length > 0 ? { reactions: reactionsToWire(message) } : {}),
    ...(message.files.length > 0
      ? {
          files: message.files.flatMap((id) => {
            const file = world.files.get(id);
            return file === undefined ? [] : [fileToWire(file)];
          }),
          upload: false,
        }
      : {}),
    ...(withMetadata && message.metadata !== undefined ? { metadata: message.metadata } : {}),
  };
}

/** Reactions as the Web API lists them. */
export function reactionsToWire(message: Message): JsonObject[] {
  return message.reactions.map((r) => ({ name: r.name, users: [...r.users], count: r.users.length }));
}

/** Deletes a message, as a person or a rule of retention does; replies keep a tombstone in its place. */
export function removeMessage(world: World, message: Message): void {
  const { channel, ts } = message;
  const all = world.messages.get(channel);
  const answered = [...(all?.values() ?? [])].some((other) => other.threadTs === ts && other.ts !== ts);
  if (answered) {
    message.tombstone = true;
    message.user = 'USLACKBOT';
    message.text = 'This message was deleted.';
    message.blocks = [];
    message.attachments = [];
    message.reactions = [];
    message.files = [];
    delete message.metadata;
  } else all?.delete(ts);
  world.changes.add({ kind: 'message_deleted', channel, ts });
}
