import { listLocks, type M10Lock } from '../clients/m10/locks.js';
import { attempt } from '../clients/postgres/failure.js';
import type { Connection } from '../clients/postgres.js';
import type { Job } from './job.js';
import { missingNeeds } from './needs.js';

/** What the target says about the jobs; null in place of what it did not say. */
export interface TargetStanding {
  /** What each job waits for, in their order. */
  readonly waits: readonly (readonly string[])[] | null;
  readonly locks: readonly M10Lock[] | null;
}

const nothingSaid: TargetStanding = { waits: null, locks: null };

/** Reads what the jobs wait for and who leads them, over one session. */
export async function readStanding(
  connect: (applicationName: string) => Promise<Connection>,
  jobs: readonly Job[],
): Promise<TargetStanding> {
  const connection = await connect('m10bot jobs');
  if (connection.kind !== 'connected') return nothingSaid;
  const { database } = connection;
  try {
    const needs = jobs.map((job) => job.needs);
    const waits = await attempt(() => missingNeeds(database, needs));
    // Before revision 022 there is no table of locks.
    const locks = await attempt(() => listLocks(database));
    return {
      waits: waits.kind === 'ok' ? waits.value : null,
      locks: locks.kind === 'ok' ? locks.value : null,
    };
  } finally {
    await database.close();
  }
}
