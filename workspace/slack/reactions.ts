import type { Message } from './model.js';
import type { World } from './world.js';

/** A reaction's name: an emoji, with a skin tone at times. */
export const EMOJI_NAME = /^[a-z0-9_+'-]+(::skin-tone-[2-6])?$/;

/** Names that mean one emoji: Slack's clients send the first of each pair. */
const CANONICAL: Record<string, string> = {
  thumbsup: '+1',
  thumbsdown: '-1',
  '✅': 'white_check_mark',
  '❌': 'x',
  '🛑': 'octagonal_sign',
  '👍': '+1',
  '👎': '-1',
  '👀': 'eyes',
};

/** The name under which Slack keeps a reaction; takes names with colons and the commonest glyphs too. */
export function reactionName(emoji: string): string {
  const bare = emoji.replace(/^:|:$/g, '').replace(/\uFE0F/g, '');
  const [base = bare, tone] = bare.split('::');
  const name = CANONICAL[base] ?? base;
  return tone === undefined ? name : `${name}::${tone}`;
}

/** Adds a reaction; false when it is there already. */
export function addReaction(world: World, message: Message, user: string, name: string): boolean {
  const known = message.reactions.find((r) => r.name === name);
  if (known?.users.includes(user)) return false;
  if (known) known.users.push(user);
  else message.reactions.push({ name, users: [user] });
  world.changes.add({ kind: 'reaction_added', channel: message.channel, ts: message.ts, user, detail: name });
  return true;
}

/** Takes a reaction away; false when it was not there. */
export function removeReaction(world: World, message: Message, user: string, name: string): boolean {
  const known = message.reactions.find((r) => r.name === name);
  if (!known?.users.includes(user)) return false;
  known.users = known.users.filter((u) => u !== user);
  message.reactions = message.reactions.filter((r) => r.users.length > 0);
  world.changes.add({
    kind: 'reaction_removed',
    channel: message.channel,
    ts: message.ts,
    user,
    detail: name,
  });
  return true;
}
