import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../src/store/freePort.js';
import type { BackendVariant } from '../backend/variants.js';
import { createDatabase, dropDatabase } from '../services/databases.js';
import { repositoryRoot, type ToolPath } from '../services/tools.js';
import { createPeople, type People } from '../slack/client.js';
import { createSlackStandIn, type SlackStandIn, type SlackStandInOptions } from '../slack/server.js';
import { type BotProcess, startBotProcess } from './bot-process.js';
import { type TrialConfig, trialConfigText } from './config-file.js';
import { startMetricsServer } from './metrics-server.js';
import { prepareTargets, type Server } from './targets.js';

export interface TrialOptions {
  readonly server: Server;
  /** One logical Redis for each target. */
  readonly redis: { readonly staging: string; readonly production: string };
  /** An existing folder for everything of this trial. */
  readonly directory: string;
  /** The compiled tree, whose `src/cli.js` is the bot. */
  readonly dist: string;
  readonly tools: ToolPath;
  /** Told the pids that must not outlive this process. */
  readonly watch: (pid: number) => void;
  readonly mode?: 'socket' | 'http';
  readonly variant?: BackendVariant;
  readonly sleepSeconds?: number;
  /** A database at the revision before the hardening, to copy. */
  readonly template?: string;
  /** Makes database names of several trials on one server different. */
  readonly name?: string;
  readonly slack?: Pick<SlackStandInOptions, 'rateLimits' | 'retryScheduleMs' | 'ackTimeoutMs' | 'port'>;
  readonly change?: Readonly<Record<string, unknown>>;
  /** As in the configuration's text: changes the section of the jobs, or leaves it out. */
  readonly jobs?: Readonly<Record<string, unknown>> | null;
  readonly production?: Pick<TrialConfig['production'], 'gate'>;
  readonly runbook?: string;
  /** More of the bot's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** False: the state lies in an embedded PostgreSQL that the bot starts itself. */
  readonly sharedState?: boolean;
}

export interface Trial {
  readonly directory: string;
  readonly backend: string;
  readonly databases: { readonly staging: string; readonly production: string; readonly state: string };
  readonly redis: TrialOptions['redis'];
  readonly metricsUrl: string;
  readonly slack: SlackStandIn;
  readonly people: People;
  readonly configPath: string;
  /** Where the bot takes Slack's requests; null in Socket Mode. */
  readonly requestUrl: string | null;
  /** The bot's environment, for running its other commands. */
  readonly botEnv: Readonly<Record<string, string>>;
  /** The bot that was started last. */
  bot(): BotProcess;
  /** Starts another bot beside it, with the same configuration and state; for Socket Mode. */
  startReplica(): Promise<BotProcess>;
  /** Starts the bot; a former one has been ended. */
  startBot(env?: Readonly<Record<string, string>>): Promise<BotProcess>;
  stop(): Promise<void>;
}

/** Sets up everything the bot needs: databases, backend, metrics, a Slack and a configuration. */
export async function createTrial(options: TrialOptions): Promise<Trial> {
  const { directory, server, tools, name = 'trial', mode = 'socket' } = options;
  const releases: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  try {
    const names = { staging: `${name}_staging`, production: `${name}_production`, state: `${name}_state` };
    for (const database of Object.values(names)) {
      releases.push(() => dropDatabase(server.adminUrl, database));
    }
    const { urls, backend } = await prepareTargets({
      server,
      names: [names.staging, names.production],
      directory: join(directory, 'backend'),
      path: tools.value,
      ...pick(options, 'variant', 'sleepSeconds', 'template'),
    });
    const [staging = '', production = ''] = urls;
    const state = await createDatabase(server.adminUrl, names.state);
    const metrics = await startMetricsServer({
      backend,
      databaseUrl: production,
      redisUrl: options.redis.production,
      python: tools.find('python3'),
      logPath: join(directory, 'metrics.log'),
      watch: options.watch,
    });
    releases.push(metrics.stop);

    const slack = await createSlackStandIn({ ...options.slack });
    releases.push(slack.close);
    const people = createPeople(slack.peopleUrl);

    const configPath = join(directory, 'm10.yml');
    const backups = join(directory, 'backups');
    await mkdir(backups, { recursive: true });
    await writeFile(
      configPath,
      trialConfigText({
        runbook:
          options.runbook ?? join(await repositoryRoot(), 'runbooks', '022_m10_production_hardening.yml'),
        backend,
        backups,
        state: join(directory, 'state'),
        path: tools.value,
        staging: { databaseUrl: staging, redisUrl: options.redis.staging },
        production: {
          databaseUrl: production,
          redisUrl: options.redis.production,
          metricsUrl: metrics.url,
          ...options.production,
        },
        ...pick(options, 'change', 'jobs'),
      }),
      { mode: 0o600 },
    );

    const port = await freePort();
    const requestUrl = mode === 'http' ? `http://127.0.0.1:${port}/slack/events` : null;
    const botEnv: Record<string, string> = {
      PATH: tools.value,
      HOME: directory,
      M10_CONFIG: configPath,
      // Several bots run on one machine, so each takes a port that is free.
      METRICS_PORT: '0',
      SLACK_API_URL: slack.url,
      SLACK_BOT_TOKEN: slack.tokens.bot,
      ...(mode === 'socket'
        ? { SLACK_APP_TOKEN: slack.tokens.app }
        : { SLACK_SIGNING_SECRET: slack.signingSecret, PORT: String(port) }),
      ...(options.sharedState === false ? {} : { STATE_DATABASE_URL: state }),
      ...options.env,
    };
    let bot: BotProcess | undefined;
    const replicas: BotProcess[] = [];
    releases.push(async () => {
      await Promise.all([bot, ...replicas].map((each) => each?.end('SIGTERM')));
    });
    const start = (log: string, env: Readonly<Record<string, string>>) =>
      startBotProcess({
        argv: [join(options.dist, 'src', 'cli.js'), 'start'],
        cwd: directory,
        env: { ...botEnv, ...env },
        logPath: join(directory, log),
        watch: options.watch,
      });
    return {
      directory,
      backend,
      databases: { staging, production, state },
      redis: options.redis,
      metricsUrl: metrics.url,
      slack,
      people,
      configPath,
      requestUrl,
      botEnv,
      stop: async () => {
        await stop();
        await rm(join(directory, 'state'), { recursive: true, force: true });
      },
      bot() {
        if (bot === undefined) throw new Error('The bot of this trial has not been started.');
        return bot;
      },
      async startBot(env = {}) {
        bot = await start('bot.log', env);
        if (requestUrl !== null) await people.setMode({ mode: { http: requestUrl } });
        return bot;
      },
      async startReplica() {
        const replica = await start(`replica-${replicas.length + 1}.log`, {});
        replicas.push(replica);
        return replica;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {};
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked;
}
