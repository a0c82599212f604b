import type { CallLog } from '../calls.js';
import type { Deliveries } from '../delivery/deliver.js';
import type { SocketHub } from '../delivery/socket.js';
import { PersonError } from '../errors.js';
import type { Faults } from '../faults.js';
import type { Manifest } from '../manifest.js';
import type { Channel, Person } from '../model.js';
import type { RateLimiter } from '../rate-limits.js';
import type { World } from '../world.js';
import type { Got, Mode, Taken, Verb } from './protocol.js';

/** What people and the administrator act on. */
export interface PeopleContext {
  world: World;
  manifest: Manifest;
  deliveries: Deliveries;
  sockets: SocketHub;
  faults: Faults;
  limiter: RateLimiter;
  calls: CallLog;
  origin(): string;
  /** @throws PersonError when the app's address does not answer Slack's challenge */
  setMode(mode: Mode): Promise<void>;
}

/** One thing that can be done. */
export type Handler<V extends Verb> = (input: Taken<V>, context: PeopleContext) => Got<V> | Promise<Got<V>>;

/** Some of the handlers, by name. */
export type Handlers<V extends Verb> = { [K in V]: Handler<K> };

/**
 * The person, if they can use Slack's client at all.
 *
 * @throws PersonError user_not_found or account_inactive
 */
export function actor({ world }: PeopleContext, id: string): Person {
  const person = world.users.get(id);
  if (person === undefined) throw new PersonError('user_not_found', `There is no user ${id}`);
  if (person.deleted) throw new PersonError('account_inactive', `${person.name} is deactivated`);
  return person;
}

/** @throws PersonError channel_not_found, or not_in_channel when the person is not a member */
export function channelOf({ world }: PeopleContext, id: string, member?: Person): Channel {
  const channel = world.channels.get(id);
  if (channel === undefined) throw new PersonError('channel_not_found', `There is no channel ${id}`);
  if (member !== undefined && !channel.members.has(member.id)) {
    throw new PersonError('not_in_channel', `${member.name} is not in #${channel.name}`);
  }
  return channel;
}
