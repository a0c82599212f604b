import { randomBytes } from 'node:crypto';
import { SlackError } from './errors.js';
import type { ResponseTarget } from './model.js';
import { TEAM } from './people.js';
import type { World } from './world.js';

/** A trigger can be exchanged for a modal once, within this many milliseconds. */
export const TRIGGER_LIFE_MS = 3000;

/** Makes the trigger id of something that a person did. */
export function newTrigger(world: World, user: string): string {
  const id = `${world.now()}.${randomBytes(6).readUIntBE(0, 6)}.${randomBytes(16).toString('hex')}`;
  world.triggers.set(id, { user, at: world.now(), exchanged: false });
  return id;
}

/**
 * Spends a trigger.
 *
 * @returns the person who made it
 * @throws SlackError invalid_trigger_id, exchanged_trigger_id or expired_trigger_id
 */
export function exchangeTrigger(world: World, id: string): string {
  const trigger = world.triggers.get(id);
  if (trigger === undefined) throw new SlackError('invalid_trigger_id');
  if (trigger.exchanged) throw new SlackError('exchanged_trigger_id');
  if (world.now() - trigger.at > TRIGGER_LIFE_MS) throw new SlackError('expired_trigger_id');
  trigger.exchanged = true;
  return trigger.user;
}

/** Makes the path of a `response_url`. */
export function newResponsePath(
  world: World,
  kind: 'commands' | 'actions',
  target: Omit<ResponseTarget, 'path' | 'at' | 'uses'>,
): string {
  const path = `/${kind}/${TEAM.id}/${world.now()}/${randomBytes(12).toString('base64url')}`;
  world.responses.set(path, { ...target, path, at: world.now(), uses: 0 });
  return path;
}
