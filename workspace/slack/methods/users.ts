import { z } from 'zod';
import { SlackError } from '../errors.js';
import type { JsonObject } from '../json.js';
import type { Group, Person } from '../model.js';
import { TEAM } from '../people.js';
import { knownUser } from './checks.js';
import { bool, type Method, method, str, TIER } from './method.js';

function userToWire(person: Person): JsonObject {
  return {
    id: person.id,
    team_id: person.teamId,
    name: person.name,
    deleted: person.deleted,
    ...(person.deleted ? {} : { real_name: person.realName, tz: 'Etc/UTC', tz_label: 'UTC', tz_offset: 0 }),
    profile: {
      real_name: person.realName,
      display_name: person.name,
      team: person.teamId,
      ...(person.botId === undefined ? {} : { bot_id: person.botId, api_app_id: person.appId }),
    },
    is_bot: person.isBot,
    is_app_user: false,
    // Slack leaves these out for deactivated users.
    ...(person.deleted
      ? {}
      : {
          is_admin: false,
          is_owner: false,
          is_primary_owner: false,
          is_restricted: person.isRestricted,
          is_ultra_restricted: person.isUltraRestricted,
        }),
    ...(person.isStranger ? { is_stranger: true } : {}),
    updated: 1_700_000_000,
  };
}

const info = method('users.info', {
  scopes: ['users:read'],
  limit: TIER.four,
  args: z.object({ user: str.default(''), include_locale: bool.optional() }),
  run: (args, context) => ({ user: userToWire(knownUser(context, args.user)) }),
});

function groupToWire(group: Group): JsonObject {
  return {
    id: group.id,
    team_id: TEAM.id,
    is_usergroup: true,
    is_subteam: true,
    name: group.name,
    handle: group.handle,
    description: '',
    is_external: false,
    date_create: 1_700_000_000,
    date_update: 1_700_000_000,
    date_delete: group.disabled ? 1_700_000_001 : 0,
    auto_type: null,
    user_count: group.users.length,
  };
}

const groups = method('usergroups.list', {
  scopes: ['usergroups:read'],
  limit: TIER.two,
  args: z.object({
    include_users: bool.default(false),
    include_disabled: bool.default(false),
    include_count: bool.optional(),
    team_id: str.optional(),
  }),
  run(args, { world }) {
    if (!world.paidPlan) throw new SlackError('plan_upgrade_required');
    const listed = [...world.groups.values()].filter((g) => args.include_disabled || !g.disabled);
    return {
      usergroups: listed.map((g) =>
        args.include_users ? { ...groupToWire(g), users: g.users } : groupToWire(g),
      ),
    };
  },
});

const groupUsers = method('usergroups.users.list', {
  scopes: ['usergroups:read'],
  limit: TIER.two,
  args: z.object({
    usergroup: str.default(''),
    include_disabled: bool.default(false),
    team_id: str.optional(),
  }),
  run(args, { world }) {
    if (!world.paidPlan) throw new SlackError('plan_upgrade_required');
    const group = world.groups.get(args.usergroup);
    if (group === undefined || (group.disabled && !args.include_disabled)) {
      throw new SlackError('no_such_subteam');
    }
    return { users: group.users };
  },
});

/** People and groups of people. */
export const userMethods: readonly Method[] = [info, groups, groupUsers];
