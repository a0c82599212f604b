import type { Connection } from '../clients/postgres.js';
import type { JobName } from '../runbook/jobs/names.js';
import type { Job, JobLog } from './job.js';
import { readStanding } from './standing.js';

/** Which jobs wait for objects of the schema, as far as this replica knows. */
export interface Waits {
  has(job: JobName): boolean;
  /** Looks again for the jobs that wait, and for those that were never looked at. */
  read(on: readonly Job[]): Promise<void>;
  /** The job did not run: it may wait. */
  doubt(job: JobName): void;
}

/** Keeps jobs from asking at each tick for what is not there yet, and notices when it has come. */
export function createWaits(deps: {
  readonly connect: (applicationName: string) => Promise<Connection>;
  readonly log: JobLog;
}): Waits {
  const waiting = new Set<JobName>();
  const sure = new Set<JobName>();
  return {
    has: (job) => waiting.has(job),
    doubt: (job) => sure.delete(job),
    async read(on) {
      const asked = on.filter((job) => !sure.has(job.name));
      if (asked.length === 0) return;
      const { waits } = await readStanding(deps.connect, asked);
      if (waits === null) return;
      asked.forEach(({ name }, index) => {
        const lines = waits[index] ?? [];
        if (lines.length === 0) {
          sure.add(name);
          if (waiting.delete(name)) deps.log.info({ job: name }, 'what a job waited for is there');
        } else if (!waiting.has(name)) {
          waiting.add(name);
          deps.log.info({ job: name, waitsFor: lines }, 'a job waits for objects of the schema');
        }
      });
    },
  };
}
