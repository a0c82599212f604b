import { stringify } from 'yaml';
import { CHANNELS, GROUPS, TEAM, USERS } from '../slack/people.js';

export interface TrialConfig {
  readonly runbook: string;
  readonly backend: string;
  readonly backups: string;
  readonly state: string;
  readonly path: string;
  readonly staging: TrialTarget;
  readonly production: TrialTarget;
  /** Changes the section of the periodic jobs, key by key of the section; null leaves it out. */
  readonly jobs?: Readonly<Record<string, unknown>> | null;
  /** Replaces top-level keys, for tests of other policies. */
  readonly change?: Readonly<Record<string, unknown>>;
}

export interface TrialTarget {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly metricsUrl?: string;
  readonly gate?: { readonly approvals?: number; readonly from?: string; readonly expires?: string };
}

/**
 * The jobs of the trial: the schedules that m10bot begins with, but an outbox that is looked at every other second,
 * for nobody waits half a minute in a demo; receivers are on this machine.
 */
const jobs = {
  target: 'production',
  'outbox-processor': {
    schedule: '*/2 * * * * *',
    // The first retry of a failed delivery comes while people are still looking.
    backoff: { first: '1s', most: '10s' },
    http: { allow: ['127.0.0.1'] },
    'notify-channels': [CHANNELS.incident],
  },
};

/** The text of an `m10.yml` for the trial: Alice and Carol drive, Bob and the group of DBAs approve. */
export function trialConfigText(config: TrialConfig): string {
  const target = (t: TrialTarget) => ({
    'database-url': t.databaseUrl,
    'redis-url': t.redisUrl,
    directory: config.backend,
    env: { PATH: config.path, PYTHONPATH: '.', LANG: 'C.UTF-8' },
    ...(t.metricsUrl === undefined ? {} : { 'metrics-url': t.metricsUrl }),
    ...(t.gate === undefined ? {} : { gate: t.gate }),
  });
  return stringify({
    slack: { channel: CHANNELS.incident, team: TEAM.id },
    operators: [USERS.alice, USERS.carol],
    approvers: { everyone: { users: [USERS.bob], usergroups: [GROUPS.dba] } },
    runbook: config.runbook,
    targets: { staging: target(config.staging), production: target(config.production) },
    backups: { directory: config.backups, 'min-free': '64MiB' },
    state: { directory: config.state },
    ...(config.jobs === null ? {} : { jobs: { ...jobs, ...config.jobs } }),
    ...config.change,
  });
}
