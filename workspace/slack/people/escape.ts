import type { World } from '../world.js';

/** What a person may type that Slack turns into a link: a mention by name or by id, a channel, an address. */
const LINKABLE =
  /<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|<#(C[A-Z0-9]+)(?:\|[^>]*)?>|@([a-z0-9][a-z0-9._-]*)|#([a-z0-9][a-z0-9_-]*)|https?:\/\/[^\s<>]+|[&<>]/g;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/**
 * The text as Slack sends it on: `&`, `<` and `>` as entities; with `links`, mentions of people, groups and
 * channels as `<@U…|name>`, `<!subteam^S…|@name>` and `<#C…|name>`, and addresses in angle brackets.
 */
export function escapeTyped(world: World, text: string, links: boolean): string {
  const users = [...world.users.values()];
  const channels = [...world.channels.values()];
  return text.replace(
    LINKABLE,
    (whole, userId?: string, channelId?: string, name?: string, room?: string) => {
      const entity = ENTITIES[whole];
      if (entity !== undefined) return entity;
      const user = users.find((u) => u.id === userId || (name !== undefined && u.name === name));
      const channel = channels.find((c) => c.id === channelId || (room !== undefined && c.name === room));
      const group = [...world.groups.values()].find((g) => g.handle === name);
      if (!links) {
        if (user !== undefined) return `@${user.name}`;
        return channel === undefined ? whole : `#${channel.name}`;
      }
      if (user !== undefined) return `<@${user.id}|${user.name}>`;
      if (channel !== undefined) return `<#${channel.id}|${channel.name}>`;
      if (group !== undefined) return `<!subteam^${group.id}|@${group.handle}>`;
      return whole.startsWith('http') ? `<${whole}>` : whole;
    },
  );
}
