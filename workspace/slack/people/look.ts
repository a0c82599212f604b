import { eventPayload } from '../delivery/payloads.js';
import { PersonError } from '../errors.js';
import { messagesOf } from '../messages.js';
import { actor, channelOf, type Handlers } from './context.js';
import { ephemeralSeen, fileSeen, messageSeen, viewSeen } from './seen.js';

/** Looking, without changing anything. */
export const looking: Handlers<'read' | 'ephemerals' | 'views' | 'openHome' | 'file' | 'since'> = {
  read(input, context) {
    const channel = channelOf(context, input.channel);
    return { messages: messagesOf(context.world, channel.id).map((m) => messageSeen(context.world, m)) };
  },
  ephemerals(input, { world }) {
    const mine = world.ephemerals.filter(
      (e) => e.to === input.user && (input.trigger_id === undefined || e.triggerId === input.trigger_id),
    );
    return { ephemerals: mine.map(ephemeralSeen) };
  },
  views(input, { world }) {
    const home = world.homes.get(input.user);
    return {
      views: [...world.views.values()].filter((v) => v.user === input.user).map(viewSeen),
      home: home === undefined ? null : viewSeen(home),
    };
  },
  openHome(input, context) {
    const { world } = context;
    const person = actor(context, input.user);
    const home = world.homes.get(person.id);
    if (context.manifest.events.has('app_home_opened')) {
      const event = {
        type: 'app_home_opened',
        user: person.id,
        channel: `D0${person.id.slice(2)}`,
        tab: 'home',
        event_ts: world.nextTs(),
      };
      context.deliveries.event(eventPayload(world, event, undefined));
    }
    return { home: home === undefined ? null : viewSeen(home) };
  },
  file(input, { world }) {
    const file = world.files.get(input.id);
    if (file === undefined) throw new PersonError('file_not_found', `There is no file ${input.id}`);
    return { ...fileSeen(file), content: file.content.toString('base64') };
  },
  async since(input, { world }) {
    const changes = await world.changes.since(input.cursor, input.wait_ms);
    return { cursor: changes.at(-1)?.seq ?? world.changes.cursor(), changes };
  },
};
