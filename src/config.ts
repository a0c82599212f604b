import { dirname, resolve } from 'node:path';
import { parseDatabaseUrl } from './clients/postgres/url.js';
import { exposedBecause } from './config-exposed.js';
import { readConfigFile } from './config-file.js';
import { type JobsConfig, type JobsFile, jobsConfig } from './config-jobs.js';
import type { Shown } from './redact.js';
import type { GatePolicy } from './runbook/definition.js';

/** One environment that a runbook changes. */
export interface TargetConfig {
  readonly name: string;
  readonly databaseUrl: string;
  readonly redisUrl: string | null;
  /** File of certificates that may sign for its Redis, beside those that the machine trusts. */
  readonly redisCa?: string;
  /** Where Alembic keeps its revision; absent: as Alembic itself has it. */
  readonly versionTable?: { readonly schema: string | null; readonly table: string };
  /** The backend's project folder, where Alembic and the ops scripts run. */
  readonly directory: string;
  /** The whole environment of every command on this target; nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly metricsUrl: string | null;
  /** The least that gates on this target ask for. */
  readonly gate: GatePolicy;
}

export interface ApproverList {
  readonly users: readonly string[];
  readonly usergroups: readonly string[];
}

export interface MaintenanceWindow {
  readonly days: readonly string[];
  /** `HH:MM`, in the window's time zone; an end before the start is on the next day. */
  readonly from: string;
  readonly to: string;
  readonly timezone: string;
}

export interface SlackConfig {
  readonly botToken: string;
  readonly apiUrl: string;
  readonly delivery:
    | { readonly kind: 'socket'; readonly appToken: string }
    | {
        readonly kind: 'http';
        readonly signingSecret: string;
        readonly port: number;
        /** Address that is listened on; every one of this machine when not given. */
        readonly host?: string | undefined;
      };
  /** Id of the incident channel. */
  readonly channel: string;
  /** Id of the workspace whose people count. */
  readonly team: string;
}

export interface Config {
  readonly slack: SlackConfig;
  readonly state: {
    /** null: an embedded PostgreSQL under the state directory. */
    readonly databaseUrl: string | null;
    readonly directory: string;
    /** How long a shutdown waits for what runs before it leaves it to itself, ms. */
    readonly stopWaitMs: number;
  };
  readonly operators: readonly string[];
  /** Lists by name; a gate's `from` names one. */
  readonly approvers: Readonly<Record<string, ApproverList>>;
  readonly targets: Readonly<Record<string, TargetConfig>>;
  readonly runbook: string;
  readonly backups: { readonly directory: string; readonly minFreeBytes: number };
  /** Empty: any time is fine. */
  readonly windows: readonly MaintenanceWindow[];
  /** null: the bot runs no periodic jobs. */
  readonly jobs: JobsConfig | null;
  /** Where Prometheus reads; port 0 takes any. */
  readonly metrics: { readonly host: string; readonly port: number };
  readonly logLevel: string;
  /** Every value that must never leave the process. */
  readonly secrets: readonly string[];
  /** What may be shown although a secret contains it. */
  readonly shown: Shown;
  /** Folder of the configuration file; relative paths start here. */
  readonly baseDirectory: string;
  /** What somebody should know and what keeps nothing from starting. */
  readonly warnings?: readonly string[];
}

/** Every mistake of the configuration at once, each with its place, what was found and what is expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** @param problems at least one: an error without any would tell people that all is well */
  constructor(readonly problems: readonly [string, ...string[]]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((p) => `- ${p}`).join('\n')}`,
    );
  }
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Reads the environment and `m10.yml`. The sole reader of the environment in the bot.
 * @throws ConfigError with every mistake at once
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const file = resolve(env.M10_CONFIG ?? 'm10.yml');
  const baseDirectory = dirname(file);
  const slack = readSlackEnvironment(env, problems);
  const logLevel = env.LOG_LEVEL ?? 'info';
  if (!levels.includes(logLevel)) {
    problems.push(
      `environment LOG_LEVEL: expected one of ${levels.join(', ')}, found ${JSON.stringify(logLevel)}`,
    );
  }
  const databaseUrl = env.STATE_DATABASE_URL ?? null;
  const stateUrl = databaseUrl === null ? null : parseDatabaseUrl(databaseUrl);
  if (stateUrl?.kind === 'bad_url') {
    problems.push(
      `environment STATE_DATABASE_URL: expected a URL such as postgresql://user:password@host/name, found one that cannot be used (not shown: it may hold a password): ${stateUrl.problem}`,
    );
  }
  const metrics = { host: env.METRICS_HOST ?? '127.0.0.1', port: portOf(env.METRICS_PORT ?? '9464') };
  if (Number.isNaN(metrics.port)) {
    problems.push(
      `environment METRICS_PORT: expected a port number, found ${JSON.stringify(env.METRICS_PORT)}`,
    );
  }
  const whole = readConfigFile(file, env);
  if (whole.kind === 'broken') problems.push(...whole.problems);
  const [problem, ...others] = problems;
  if (problem !== undefined || whole.kind === 'broken' || slack === null) {
    throw new ConfigError([problem ?? 'environment: expected the settings of Slack', ...others]);
  }
  const read = whole.file;
  const from = (path: string) => resolve(baseDirectory, path);
  const targets = Object.fromEntries(
    Object.entries(read.targets).map(([name, target]): [string, TargetConfig] => [
      name,
      {
        name,
        databaseUrl: target['database-url'],
        redisUrl: target['redis-url'] ?? null,
        ...(target['redis-ca'] === undefined ? {} : { redisCa: from(target['redis-ca']) }),
        directory: from(target.directory),
        env: target.env,
        metricsUrl: target['metrics-url'] ?? null,
        ...versionTable(target['version-table']),
        gate: target.gate,
      },
    ]),
  );
  const shown = shownOf(databaseUrl, Object.values(targets));
  const secrets = [...secretsOf(env, databaseUrl, Object.values(targets)), ...jobSecrets(read.jobs)];
  const exposed = exposedBecause(file, secrets, shown);
  return freeze({
    slack: { ...slack, channel: read.slack.channel, team: read.slack.team },
    state: {
      databaseUrl,
      directory: from(read.state.directory),
      stopWaitMs: read.state['stop-wait'],
    },
    operators: read.operators,
    approvers: read.approvers,
    targets,
    runbook: from(read.runbook),
    backups: { directory: from(read.backups.directory), minFreeBytes: read.backups['min-free'] },
    windows: read.windows,
    jobs: read.jobs === undefined ? null : jobsConfig(read.jobs),
    metrics,
    logLevel,
    shown,
    secrets,
    baseDirectory,
    warnings: exposed === null ? [] : [exposed],
  });
}

function readSlackEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Omit<SlackConfig, 'channel' | 'team'> | null {
  const expect = (name: string, prefix: string, what: string): string => {
    const value = env[name] ?? '';
    if (!value.startsWith(prefix)) {
      const found = value === '' ? 'nothing' : 'something else (not shown)';
      problems.push(
        `environment ${name}: expected ${what}${prefix === '' ? '' : ` that starts with ${prefix}`}, found ${found}`,
      );
    }
    return value;
  };
  const botToken = expect('SLACK_BOT_TOKEN', 'xoxb-', 'the bot token');
  const apiUrl = env.SLACK_API_URL ?? 'https://slack.com/api/';
  if (!URL.canParse(apiUrl))
    problems.push(`environment SLACK_API_URL: expected a URL, found ${JSON.stringify(apiUrl)}`);
  if (env.SLACK_APP_TOKEN !== undefined && env.SLACK_APP_TOKEN !== '') {
    const appToken = expect('SLACK_APP_TOKEN', 'xapp-', 'the app-level token');
    return { botToken, apiUrl, delivery: { kind: 'socket', appToken } };
  }
  const signingSecret = env.SLACK_SIGNING_SECRET ?? '';
  if (signingSecret === '') {
    problems.push(
      'environment: expected SLACK_APP_TOKEN (Socket Mode), or SLACK_SIGNING_SECRET and PORT (HTTP), found neither',
    );
    return null;
  }
  const port = portOf(env.PORT ?? '');
  if (Number.isNaN(port)) {
    problems.push(
      `environment PORT: expected a port number for Slack's requests, found ${JSON.stringify(env.PORT ?? 'nothing')}`,
    );
  }
  const host = env.HOST === undefined || env.HOST === '' ? undefined : env.HOST;
  if (host !== undefined && !/^[A-Za-z0-9.:_-]+(?:%[A-Za-z0-9.]+)?$/.test(host)) {
    problems.push(
      `environment HOST: expected an address of this machine, such as 127.0.0.1 or ::1, found ${JSON.stringify(host)}`,
    );
  }
  return {
    botToken,
    apiUrl,
    delivery: { kind: 'http', signingSecret, port, ...(host === undefined ? {} : { host }) },
  };
}

/** A port in digits; NaN for anything else. An empty text is none, and not 0, which takes any port. */
function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : Number.NaN;
}

/** Values of the jobs' section that must not be shown: the key that signs events, and variables with such names. */
function jobSecrets(jobs: JobsFile | undefined): string[] {
  if (jobs === undefined) return [];
  const { secret } = jobs['outbox-processor'].http;
  const urls = Object.values(jobs['outbox-processor'].handlers).flatMap((h) => ('url' in h ? [h.url] : []));
  return [...(secret === undefined ? [] : [secret]), ...urls.flatMap(passwordsIn)];
}

/** Names that stand in the open, so that a password that is made of them does not blank them out everywhere. */
function shownOf(stateUrl: string | null, targets: readonly TargetConfig[]): Shown {
  const urls = [stateUrl, ...targets.flatMap((t) => [t.databaseUrl, t.redisUrl, t.metricsUrl])];
  const databases = urls.flatMap((url) => {
    const read = url === null ? null : parseDatabaseUrl(url);
    return read?.kind === 'address' ? [read.address] : [];
  });
  const others = urls.flatMap((url) => (url !== null && URL.canParse(url) ? [new URL(url)] : []));
  return {
    words: [
      ...targets.flatMap(({ name, directory }) => [name, ...directory.split(/[\\/]/)]),
      ...databases.flatMap(({ user, database }) => [user, database]),
      ...others.map(({ username }) => username),
    ].filter((word) => word !== ''),
    hosts: [
      ...new Set([...databases.map(({ host }) => host), ...others.map(({ hostname }) => hostname)]),
    ].filter((host) => host !== ''),
  };
}

const secretName = /SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|KEY|(?:^|_)(?:PASS|AUTH)$|_PWD$/i;

/** The passwords in a URL: in front of the host, or as a parameter, as PostgreSQL takes them too. */
function passwordsIn(value: string): string[] {
  // A database's URL may have no host, which the URL class refuses.
  const database = parseDatabaseUrl(value);
  const own = database.kind === 'address' ? database.address.password : null;
  if (!URL.canParse(value)) return own === null ? [] : [own, encodeURIComponent(own)];
  const { password, search } = new URL(value);
  const queried = [...search.matchAll(/[?&](?:ssl)?password=([^&#]*)/gi)].map((match) => match[1] ?? '');
  return [password, ...queried].flatMap((found) => (found === '' ? [] : [found, decoded(found)]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone % that nobody encoded stands for itself.
    return text;
  }
}

function secretsOf(
  env: Readonly<Record<string, string | undefined>>,
  databaseUrl: string | null,
  targets: readonly TargetConfig[],
): string[] {
  const values = targets.flatMap((t) => [t.databaseUrl, t.redisUrl, t.metricsUrl, ...Object.values(t.env)]);
  const passwords = [databaseUrl, ...values].flatMap((value) => (value === null ? [] : passwordsIn(value)));
  const tokens = [env.SLACK_BOT_TOKEN, env.SLACK_APP_TOKEN, env.SLACK_SIGNING_SECRET];
  // Values of variables that are named like secrets, wherever a target's environment uses them.
  const named = targets.flatMap((t) =>
    Object.entries(t.env).flatMap(([name, value]) => (secretName.test(name) ? [value] : [])),
  );
  return [
    ...new Set([...passwords, ...tokens, ...named].filter((s): s is string => s !== undefined && s !== '')),
  ];
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** `table` or `schema.table`. */
function versionTable(name: string | undefined): Pick<TargetConfig, 'versionTable'> {
  if (name === undefined) return {};
  const [first = '', second] = name.split('.');
  return {
    versionTable: second === undefined ? { schema: null, table: first } : { schema: first, table: second },
  };
}
