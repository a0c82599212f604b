import type { Config } from '../config.js';
import type { People } from '../runbook/people.js';
import type { Posted } from '../store/posted.js';
import { createApprovers } from './approvers.js';
import { createSlackClients, type SlackClients } from './clients.js';
import { createIdentity, type IdentitySource } from './identity.js';
import type { Log } from './log.js';
import { createReactionReader, type ReadReactions } from './reaction-reader.js';

/** The bot's way to Slack, and what it asks there. Shared by the bot, the publisher and the runner. */
export interface SlackAccess {
  readonly clients: SlackClients;
  readonly identity: IdentitySource;
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
  const people = createApprovers({
    client,
    team: config.slack.team,
    channel: config.slack.channel,
    lists: config.approvers,
    identity: identity.current,
    read,
    now,
  });
  return { clients, identity, people, read };
}
