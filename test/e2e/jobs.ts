import { expect } from 'vitest';
import { Runbook } from '../../src/runbook/definition.js';
import { keyOf } from '../../workspace/demo/stage.js';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { eventually } from '../support/processes.js';
import { words } from './acts.js';
import { apply, look, phase, short022 } from './runbooks.js';
import { channel, type Play } from './support.js';

/** The schedule of a job that is watched. */
export const often = '* * * * * *';

/** 022 cut down to the upgrade of production, the phase that hands the jobs over, and the real way back. */
export async function handOver022(): Promise<Runbook> {
  const whole = await short022();
  const handOver = whole.phases.at(-1);
  if (handOver?.id !== 'jobs') throw new Error('the last phase of 022 is not that of the jobs');
  return Runbook.parse({
    ...whole,
    phases: [
      phase('preflight', [look('preflight.staging')], { gate: 'none' }),
      phase('apply', [apply('production')], { on: 'production' }),
      handOver,
    ],
  });
}

export interface Run {
  readonly job: string;
  readonly trigger: string;
  readonly outcome: string;
  readonly owner: string;
}

/** Runs of jobs as they are noted, oldest first. */
export async function runsOf(play: Play, job?: string): Promise<Run[]> {
  const rows = await play.query(
    'state',
    'SELECT job, trigger, outcome, owner FROM m10bot.job_runs ORDER BY id',
  );
  const runs = rows.map((row) => ({
    job: String(row.job),
    trigger: String(row.trigger),
    outcome: String(row.outcome),
    owner: String(row.owner),
  }));
  return job === undefined ? runs : runs.filter((run) => run.job === job);
}

/** Events of the jobs' own stream, by type. */
export const jobEvents = async (play: Play, type: string) =>
  (
    await play.query(
      'state',
      `SELECT data FROM m10bot.events WHERE stream = 'jobs:production' AND type = '${type}' ORDER BY version`,
    )
  ).map((row) => row.data);

/** Breaks the refresh. @returns the SQL that repairs it */
export async function dropIndex(play: Play): Promise<string> {
  const [index] = await play.query(
    'production',
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index
     WHERE indrelid = 'm10_recovery.mv_top_pending'::regclass AND indisunique`,
  );
  await play.query('production', `DROP INDEX ${String(index?.name)}`);
  return String(index?.made);
}

/** Polls until the jobs' runs are so. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  if (!(await eventually(condition))) throw new Error(`it never came to this: ${what}`);
}

/** Asks how the jobs stand, and waits for an answer that is so. */
export async function jobsShown(play: Play, pattern: RegExp): Promise<string> {
  const { messages } = await play.trial.people.read({ channel });
  const seen = new Set(messages.map((m) => m.ts));
  await play.say('carol', '/m10 jobs');
  const answer = await play.trial.people.waitFor(
    channel,
    (m) => !seen.has(m.ts) && /Jobs of production/.test(m.text),
    30_000,
  );
  expect(words(answer)).toMatch(pattern);
  return words(answer);
}

export const aboutJobs = async (play: Play, pattern: RegExp): Promise<SeenMessage[]> => {
  const { messages } = await play.trial.people.read({ channel });
  return messages.filter((m) => (keyOf(m) ?? '').startsWith('jobs:') && pattern.test(m.text));
};
