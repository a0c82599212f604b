import type { JobsConfig } from '../../config-jobs.js';
import type { JobParts } from '../../runbook/jobs/events.js';
import type { JobName } from '../../runbook/jobs/names.js';
import { spoken } from '../outcome.js';
import { quoted } from '../quoted.js';

/** When a job runs, as a crontab would say it. */
export function scheduleLine(jobs: JobsConfig, job: JobName): string {
  const { schedule, timezone } = jobs[job];
  return `${job}: ${schedule} (${timezone})`;
}

/** A job's configuration as parts of a fingerprint, setting by setting: a change in it voids an approval. */
export function settingsOf(jobs: JobsConfig, job: JobName): JobParts {
  const { schedule, timezone, command, ...settings } = jobs[job];
  const shown = Object.entries(settings).map(([name, value]) => [name, settingOf(name, value)]);
  return {
    ...Object.fromEntries(shown),
    schedule: `${schedule} (${timezone})`,
    program: command === undefined ? 'm10bot itself' : command.argv.map(quoted).join(' '),
    ...(command === undefined
      ? {}
      : { expect: JSON.stringify(command.expect), 'env settings': JSON.stringify(command.env) }),
  };
}

const durations = ['timeout', 'budget', 'dead-letter-archive', 'replay-log', 'outbox'];

function settingOf(name: string, value: unknown): string {
  if (typeof value === 'number' && durations.includes(name)) return `${spoken(value)} (${value} ms)`;
  return JSON.stringify(value, withoutSecrets);
}

/** The key that signs events: it only proves who sends them, and a key that was changed is no other job. */
const withoutSecrets = (key: string, value: unknown): unknown => (key === 'secret' ? 'set' : value);

/** The same for several jobs, each part under its job's name. */
export function jobParts(jobs: JobsConfig, which: readonly JobName[]): Record<string, string> {
  return Object.assign({}, ...which.map((job) => named(job, settingsOf(jobs, job))));
}

/** The parts of a job among those of others. */
export function named(job: string, parts: JobParts): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([part, value]) => [`${job}: ${part}`, value]));
}
