import type { M10Lock } from '../clients/m10/locks.js';
import type { Job } from './job.js';
import { nothing, type Verdict } from './report.js';

/** For an election that leaves no record. */
export const noRun: Verdict = { ...nothing, outcome: 'skipped', summary: '' };

export function stateGone(error: unknown): Verdict {
  return {
    ...nothing,
    outcome: 'failed',
    summary: `Not run: the database of the bot itself could not be asked (${error instanceof Error ? error.message : String(error)}).`,
    advice: 'Check the database of STATE_DATABASE_URL; the next run tries again.',
  };
}

/** Not a failure: the schema comes with the migration. */
export function waiting(missing: readonly string[]): Verdict {
  return {
    outcome: 'skipped',
    counts: {},
    summary: `Waits for ${missing.length === 1 ? missing[0] : `${missing.length} things of the schema`}.`,
    output: missing.join('\n'),
    advice: 'It starts by itself once all of it is there. Revision 022 brings the M10 objects.',
  };
}

/** Not a failure either: somebody does this work. */
export function led(job: Job, leader: M10Lock | null): Verdict {
  const who =
    leader === null
      ? `the lock ${job.lock} was given back a moment ago`
      : `${leader.holder} has the lock ${job.lock}, until ${new Date(leader.expiresAt).toISOString()} unless it is extended`;
  return {
    ...nothing,
    outcome: 'skipped',
    summary: `Not run: ${who}.`,
    advice: '`/m10 locks` shows every lock with its holder.',
  };
}
