import { createHash } from 'node:crypto';
import type { JobsConfig } from '../../config-jobs.js';
import type { JobName } from '../../runbook/jobs/names.js';
import { quoted } from '../quoted.js';

/** When a job runs, as a crontab would say it. */
export function scheduleLine(jobs: JobsConfig, job: JobName): string {
  const { schedule, timezone } = jobs[job];
  return `${job}: ${schedule} (${timezone})`;
}

/** A job's settings as parts of a fingerprint: what is changed in the configuration voids an approval. */
export function jobParts(jobs: JobsConfig, which: readonly JobName[]): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const job of which) {
    const { schedule, timezone, command, ...settings } = jobs[job];
    parts[`${job}: schedule`] = `${schedule} (${timezone})`;
    parts[`${job}: program`] = command === undefined ? 'the bot itself' : command.argv.map(quoted).join(' ');
    // Settings hold a key that signs events: a digest tells a change and nothing else.
    const digest = createHash('sha256').update(JSON.stringify([settings, command]));
    parts[`${job}: settings`] = digest.digest('hex');
  }
  return parts;
}
