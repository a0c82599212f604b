import type { Channel, Group, Person } from './model.js';

/** The workspace that the stand-in plays. */
export const TEAM = { id: 'T0M10TEAM1', name: 'M10 Trial', domain: 'm10-trial' } as const;

/** Another company's workspace: stan belongs to it. */
export const OTHER_TEAM_ID = 'T0OTHER001';

/** The app that the bot is. */
export const APP = { id: 'A0M10BOT01', botId: 'B0M10BOT01', userId: 'U0M10BOT01', name: 'm10bot' } as const;

/** User ids by name. What each is for stands beside the record below. */
export const USERS = {
  alice: 'U0ALICE001',
  bob: 'U0BOB00001',
  carol: 'U0CAROL001',
  dave: 'U0DAVE0001',
  gina: 'U0GINA0001',
  gus: 'U0GUS00001',
  stan: 'U0STAN0001',
  rob: 'U0ROB00001',
  dora: 'U0DORA0001',
  bot: APP.userId,
  slackbot: 'USLACKBOT',
} as const;

/** Channel ids by role. */
export const CHANNELS = {
  /** The bot and everybody who exists are members. */
  incident: 'C0INCIDENT',
  /** Public; the bot is not in it. */
  elsewhere: 'C0ELSEWHER',
  /** Shared with stan's company; the bot is in it. */
  shared: 'C0SHARED01',
  /** Private; the bot is in it. */
  privateOps: 'C0PRIVOPS1',
} as const;

/** User group ids by handle. */
export const GROUPS = { dba: 'S0DBA00001' } as const;

function person(id: string, name: string, realName: string, special: Partial<Person> = {}): Person {
  return {
    id,
    name,
    realName,
    teamId: TEAM.id,
    deleted: false,
    isBot: false,
    isRestricted: false,
    isUltraRestricted: false,
    isStranger: false,
    ...special,
  };
}

/** Everybody whom the workspace knows at its start. */
export function defaultPeople(): Person[] {
  return [
    person(USERS.alice, 'alice', 'Alice Operator'),
    person(USERS.bob, 'bob', 'Bob Approver'),
    person(USERS.carol, 'carol', 'Carol Approver'),
    person(USERS.dave, 'dave', 'Dave Member'),
    person(USERS.gina, 'gina', 'Gina Guest', { isRestricted: true }),
    // Slack marks a single-channel guest as both.
    person(USERS.gus, 'gus', 'Gus Guest', { isRestricted: true, isUltraRestricted: true }),
    person(USERS.stan, 'stan', 'Stan Stranger', { teamId: OTHER_TEAM_ID, isStranger: true }),
    person(USERS.rob, 'rob', 'Rob Robot', { isBot: true, botId: 'B0ROB00001', appId: 'A0ROB00001' }),
    person(USERS.dora, 'dora', 'Dora Departed', { deleted: true }),
    person(USERS.bot, APP.name, APP.name, { isBot: true, botId: APP.botId, appId: APP.id }),
    // Slackbot is the one bot for which users.info says is_bot: false.
    person(USERS.slackbot, 'slackbot', 'Slackbot'),
  ];
}

/** The channels at the start. */
export function defaultChannels(): Channel[] {
  const created = { isArchived: false };
  const everyone = Object.values(USERS).filter((id) => id !== USERS.slackbot && id !== USERS.dora);
  return [
    {
      ...created,
      id: CHANNELS.incident,
      name: 'incident-m10',
      isPrivate: false,
      isExtShared: false,
      members: new Set(everyone),
    },
    {
      ...created,
      id: CHANNELS.elsewhere,
      name: 'random',
      isPrivate: false,
      isExtShared: false,
      members: new Set([USERS.alice, USERS.bob, USERS.dave]),
    },
    {
      ...created,
      id: CHANNELS.shared,
      name: 'shared-with-other',
      isPrivate: false,
      isExtShared: true,
      members: new Set([USERS.alice, USERS.bob, USERS.stan, USERS.bot]),
    },
    {
      ...created,
      id: CHANNELS.privateOps,
      name: 'ops-private',
      isPrivate: true,
      isExtShared: false,
      members: new Set([USERS.alice, USERS.bob, USERS.carol, USERS.bot]),
    },
  ];
}

/** The user groups at the start. */
export function defaultGroups(): Group[] {
  return [
    { id: GROUPS.dba, handle: 'dba', name: 'Database administrators', users: [USERS.carol], disabled: false },
  ];
}
