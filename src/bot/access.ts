import type { Config } from '../config.js';
import type { Member, People } from '../runbook/people.js';
import type { Posted } from '../store/posted.js';
import { createApprovers } from './approvers.js';
import { createAsk } from './asking.js';
import { createSlackClients, type SlackClients } from './clients.js';
import { createIdentity, type IdentitySource } from './identity.js';
import type { Log } from './log.js';
import { createMembers } from './members.js';
import { createReactionReader, type ReadReactions } from './reaction-reader.js';

/** A command whose operator has no answer is handled again, with pauses of its own, so less is waited for at once, ms. */
const OPERATOR_PATIENCE = 1_500;

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
  const ask = createAsk();
  const read = createReactionReader({ client, ask, posted: deps.posted, botUserId, log, now });
  const looking = { client, ask, team: config.slack.team, identity: identity.current };
  const people = createApprovers({
    client,
    ask,
    member: createMembers(looking),
    channel: config.slack.channel,
    lists: config.approvers,
    read,
    now,
  });
  const member = createMembers({ ...looking, patienceMs: OPERATOR_PATIENCE });
  return { clients, identity, member, people, read };
}
