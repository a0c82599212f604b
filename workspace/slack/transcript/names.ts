import { defaultChannels, defaultGroups, defaultPeople } from '../people.js';

/** What ids are called. */
export interface Names {
  user(id: string): string;
  channel(id: string): string;
  group(id: string): string;
}

/** The names of the people, channels and groups that the stand-in starts with; unknown ids stay ids. */
export function defaultNames(): Names {
  const users = new Map(defaultPeople().map((p) => [p.id, p.name]));
  const channels = new Map(defaultChannels().map((c) => [c.id, c.name]));
  const groups = new Map(defaultGroups().map((g) => [g.id, g.handle]));
  return {
    user: (id) => users.get(id) ?? id,
    channel: (id) => channels.get(id) ?? id,
    group: (id) => groups.get(id) ?? id,
  };
}
