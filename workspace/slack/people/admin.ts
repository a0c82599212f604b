import { PersonError } from '../errors.js';
import { isObject, stringAt } from '../json.js';
import { findMessage, removeMessage } from '../messages.js';
import { TEAM } from '../people.js';
import { channelOf, type Handlers } from './context.js';

/** Members of `given` that are there. */
function present<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const out: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in given) {
    const value = given[key];
    if (isGiven(value)) out[key] = value;
  }
  return out;
}

function isGiven<V>(value: V): value is Exclude<V, undefined> {
  return value !== undefined;
}

/** What the workspace's administrator can change. */
export const administration: Handlers<
  'setUser' | 'setGroup' | 'setPlan' | 'setChannel' | 'deleteMessage' | 'deleteFile' | 'join' | 'leave'
> = {
  setUser({ user, ...changes }, { world }) {
    const known = world.users.get(user) ?? {
      id: user,
      name: changes.name ?? user.toLowerCase(),
      realName: changes.name ?? user,
      teamId: TEAM.id,
      deleted: false,
      isBot: false,
      isRestricted: false,
      isUltraRestricted: false,
      isStranger: false,
    };
    world.users.set(user, { ...known, ...present(changes) });
    return { ok: true };
  },
  setGroup({ group, ...changes }, { world }) {
    const known = world.groups.get(group) ?? {
      id: group,
      handle: changes.handle ?? group.toLowerCase(),
      name: changes.handle ?? group,
      users: [],
      disabled: false,
    };
    world.groups.set(group, { ...known, ...present(changes) });
    return { ok: true };
  },
  setPlan(input, { world }) {
    world.paidPlan = input.paid;
    return { ok: true };
  },
  setChannel({ channel, ...changes }, context) {
    context.world.channels.set(channel, { ...channelOf(context, channel), ...present(changes) });
    return { ok: true };
  },
  deleteMessage({ channel, ts }, context) {
    const message = findMessage(context.world, channelOf(context, channel).id, ts);
    if (message === undefined) throw new PersonError('message_not_found', `There is no message ${ts}`);
    removeMessage(context.world, message);
    return { ok: true };
  },
  deleteFile({ id }, { world }) {
    const file = world.files.get(id);
    if (file === undefined || file.state !== 'complete')
      throw new PersonError('file_not_found', `There is no file ${id}`);
    file.state = 'deleted';
    for (const { channel, ts } of file.shares) world.changes.add({ kind: 'message_changed', channel, ts });
    return { ok: true };
  },
  join(input, context) {
    channelOf(context, input.channel).members.add(input.user);
    return { ok: true };
  },
  leave(input, context) {
    channelOf(context, input.channel).members.delete(input.user);
    return { ok: true };
  },
};

/** Bad weather, and what the bot has done. */
export const weather: Handlers<
  'setMode' | 'outage' | 'dropSockets' | 'setRateLimits' | 'failNext' | 'redeliver' | 'calls' | 'deliveries'
> = {
  async setMode(input, context) {
    await context.setMode(input.mode);
    return { ok: true };
  },
  outage(input, context) {
    context.faults.outage = input.mode === 'off' ? undefined : input.mode;
    if (input.mode !== 'off') context.sockets.drop('cut');
    return { ok: true };
  },
  dropSockets(input, context) {
    context.sockets.drop(input.how);
    return { ok: true };
  },
  setRateLimits(input, context) {
    context.limiter.set(input.limits);
    return { ok: true };
  },
  failNext(input, context) {
    context.faults.failNext(input.method, input.failure, input.count);
    return { ok: true };
  },
  redeliver(input, context) {
    context.deliveries.redeliver(input.count);
    return { ok: true };
  },
  calls(input, context) {
    const calls = context.calls.since(input.since);
    return { calls: calls.filter((c) => input.method === undefined || c.method === input.method) };
  },
  deliveries(_, context) {
    return {
      sockets: context.sockets.count(),
      events: context.deliveries.events().map(({ eventId, payload, attempts }) => ({
        eventId,
        type: isObject(payload.event) ? (stringAt(payload.event, 'type') ?? '') : '',
        attempts: [...attempts],
        payload,
      })),
    };
  },
};
