import { App, type Receiver } from '@slack/bolt';
import { createBoard } from '../commands/board.js';
import type { CommandDeps } from '../commands/context.js';
import type { Config } from '../config.js';
import { noJobs } from '../runbook/jobs/port.js';
import { floorsOf } from '../runbook/policy.js';
import type { Undelivered } from '../store/held.js';
import type { Inbox } from '../store/inbox.js';
import type { Journal } from '../store/journal.js';
import type { Posted } from '../store/posted.js';
import type { SlackAccess } from './access.js';
import { createAnswers } from './answers.js';
import type { Connection } from './connection.js';
import { createItemHandler } from './handle-item.js';
import { createHttpConnection } from './http-connection.js';
import { createInboxWorker } from './inbox-worker.js';
import { wrapIntake } from './intake.js';
import { addListeners } from './listeners.js';
import { boltLogger, type Log, messageOf } from './log.js';
import { createLooks } from './looks.js';
import { foreignBecause } from './origin.js';
import { createReactions } from './reactions.js';
import { describeEvent } from './render/describe.js';
import { createSocketConnection } from './socket-connection.js';

/** How often open requests are compared with Slack, ms. */
const RECONCILE = 30_000;
/** Looks that follow each other closer than this compare the requests once, ms. */
const LOOK_PAUSE = 3_000;

export interface BotDeps
  extends Pick<
    CommandDeps,
    'runs' | 'nextRunNumber' | 'loadRunbook' | 'changing' | 'planOf' | 'targetStates'
  > {
  readonly config: Pick<Config, 'slack' | 'operators' | 'targets'>;
  /** What Slack has not taken. */
  readonly undelivered: () => Promise<Undelivered>;
  /** What of the journal differs from heads noted elsewhere, in words; null when nothing does. */
  readonly journalDiffers: () => Promise<string | null>;
  /** The periodic jobs; absent when the configuration has none. */
  readonly jobs?: Pick<CommandDeps, 'jobs' | 'jobsJournal'> & { readonly m10?: CommandDeps['m10'] };
  /** Names of the targets that a run may hold; those of the configuration when not given. */
  readonly targets?: readonly string[];
  readonly slack: SlackAccess;
  readonly inbox: Inbox;
  readonly posted: Posted;
  readonly journal: Journal;
  /** Unique to this process; marks the inbox items that it works on. */
  readonly owner: string;
  readonly log: Log;
  /** Whether the rest of the bot can do its work, for `/readyz`. */
  readonly ready?: () => Promise<boolean>;
  /** ms since the epoch */
  readonly now: () => number;
  /** How the inbox is worked on; see `createInboxWorker`. */
  readonly inboxWork?: { readonly everyMs: number; readonly leaseMs: number };
}

export interface BotApp {
  /** Begins to take deliveries. Slack being down is no error: connecting goes on until it succeeds. */
  start(): Promise<void>;
  /** Takes no more deliveries, then waits for those in hand. */
  stop(): Promise<void>;
  /** Whether Slack can deliver now. */
  connected(): boolean;
  /** The bot's user id; null until Slack has said it. */
  botUserId(): string | null;
  /** The port that HTTP deliveries come to; null in Socket Mode. */
  port(): number | null;
  /** Compares open requests with Slack now. */
  reconcileGates(): Promise<void>;
}

/**
 * The bot's ear: a Bolt app whose deliveries go through the inbox. It has no unhandled rejections of its own
 * making; a process that meets one from elsewhere should log it and go on, for a child may be at work.
 */
export function createBotApp(deps: BotDeps): BotApp {
  const { config, slack, log, now, inbox, journal, runs, posted } = deps;
  const { operators } = config;
  const incidentChannel = config.slack.channel;
  const targets = deps.targets ?? Object.keys(config.targets);
  const client = slack.clients.interactive;
  const botUserId = () => slack.identity.current()?.userId ?? null;

  const board = createBoard({ journal, runs, targets });
  const reactions = createReactions({
    runs,
    posted,
    people: slack.people,
    read: slack.read,
    operators,
    targets,
    botUserId,
    log,
  });
  const undelivered = async () => {
    try {
      return await deps.undelivered();
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'what Slack has not taken could not be read');
      return null;
    }
  };
  const commands: CommandDeps = {
    incidentChannel,
    operators,
    member: slack.member,
    targets,
    runs,
    journal,
    board,
    undelivered,
    journalDiffers: deps.journalDiffers,
    nextRunNumber: deps.nextRunNumber,
    loadRunbook: deps.loadRunbook,
    changing: deps.changing,
    floors: floorsOf(config.targets),
    planOf: deps.planOf,
    targetStates: deps.targetStates,
    jobs: deps.jobs?.jobs ?? noJobs,
    jobsJournal: deps.jobs?.jobsJournal ?? null,
    m10: deps.jobs?.m10 ?? null,
    describe: describeEvent,
  };
  const looks = createLooks({ board, undelivered, now });
  let lookedAt = 0;
  const answer = createAnswers({ client, apiUrl: config.slack.apiUrl, incidentChannel, log });
  const items = createItemHandler({ commands, reactions, answer, now });
  const worker = createInboxWorker({ inbox, owner: deps.owner, ...items, ...deps.inboxWork, log });

  const onConnected = () => void reactions.reconcileGates();
  const { delivery, apiUrl, botToken, team } = config.slack;
  const ready = async (): Promise<boolean> =>
    wired.connection.connected() && botUserId() !== null && (await deps.ready?.()) !== false;
  const wired: { readonly connection: Connection; readonly receiver: Receiver } =
    delivery.kind === 'socket'
      ? createSocketConnection({ appToken: delivery.appToken, apiUrl, log, onConnected })
      : createHttpConnection({
          signingSecret: delivery.signingSecret,
          port: delivery.port,
          host: delivery.host,
          log,
          now,
          onConnected,
          ready,
        });

  const { connection, receiver } = wired;

  const app = new App({
    receiver,
    // Given so that Bolt never asks Slack who it is: at start, that would end the process when Slack is down.
    authorize: async () => {
      const identity = slack.identity.current();
      return {
        botToken,
        teamId: team,
        ...(identity === null ? {} : { botId: identity.botId, botUserId: identity.userId }),
      };
    },
    logger: boltLogger(log),
    // An object of its own: Bolt writes to it.
    clientOptions: { slackApiUrl: apiUrl, rejectRateLimitedCalls: true, retryConfig: { retries: 0 } },
    ignoreSelf: false,
    convoStore: false,
    extendedErrorHandler: true,
  });
  app.error(async ({ error }: { readonly error: Error }) => {
    log.error({ error: messageOf(error) }, 'a listener failed');
    // Thrown on, so that an unacknowledged request is answered with an error at once.
    throw error;
  });
  const foreign = (body: unknown) => foreignBecause(body, team, slack.identity.current());
  const intake = wrapIntake(app, { inbox, incidentChannel, foreign, kick: worker.kick });
  addListeners(app, {
    intake,
    looks: async (command, user, head) => {
      // Whoever looks is sent to open requests: their messages have to be there.
      if (now() - lookedAt > LOOK_PAUSE) void reactions.reconcileGates();
      lookedAt = now();
      return looks(command, user, head);
    },
    board,
    client,
    operators,
    incidentChannel,
    log,
  });

  let timer: NodeJS.Timeout | undefined;
  return {
    async start() {
      slack.identity.start();
      worker.start();
      timer = setInterval(() => void reactions.reconcileGates(), RECONCILE);
      await connection.start();
    },
    async stop() {
      clearInterval(timer);
      slack.identity.stop();
      await connection.stop();
      await worker.stop();
    },
    connected: connection.connected,
    botUserId,
    port: connection.port,
    reconcileGates: reactions.reconcileGates,
  };
}
