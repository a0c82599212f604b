import type { Config } from '../config.js';
import type { Member, People } from '../runbook/people.js';
import type { Posted } from '../store/posted.js';
import { createApprovers } from './approvers.js';
import { createSlackClients, type SlackClients } from './clients.js';
import { createIdentity, type IdentitySource } from './identity.js';
import type { Log } from './log.js';
import { createMembers } from './members.js';
import { createReactionReader, type ReadReactions } from './reaction-reader.js';

/** The bot's way to Slack, and what it asks there. Shared by the bot, the publisher and the runner. */
export interface SlackAccess {
  readonly clients: SlackClients;
  readonly identity: IdentitySource;
  /** Looks one person up, whatever lists they are on. */
  readonly member: (user: string) => Promise<Member>;
  readonly people: People;
  readonly read: ReadReactions;
}

export function createSlackAccess(deps: {
  readonly config: Pick<Config, 'slack' | 'approvers'>;
  readonly posted: Pick<Posted, 'get' | 'list'>;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}): SlackAccess {
  const { config, log, now } = deps;
  const clients = createSlackClients(config.slack, log);
  const client = clients.interactive;
  const identity = createIdentity(client, log);
  const botUserId = () => identity.current()?.userId ?? null;
  const read = createReactionReader({ client, posted: deps.posted, botUserId, log, now });
  const member = createMembers({ client, team: config.slack.team, identity: identity.current });
  const people = createApprovers({
    client,
    member,
    channel: config.slack.channel,
    lists: config.approvers,
    read,
    now,
  });
  return { clients, identity, member, people, read };
}
