import { z } from 'zod';
import { type JobName, jobNames } from '../../runbook/jobs/names.js';

export const OneJob = z.enum(jobNames, `expected a job: ${jobNames.join(', ')}`);

/** Which jobs a step is about. */
export const SomeJobs = z.union(
  [
    z.literal('all'),
    z
      .array(OneJob)
      .min(1)
      .transform((jobs) => [...new Set(jobs)]),
  ],
  `expected all, or a list of jobs (${jobNames.join(', ')})`,
);
export type SomeJobs = z.infer<typeof SomeJobs>;

export function jobsOf(some: SomeJobs): readonly JobName[] {
  return some === 'all' ? jobNames : some;
}

/** The jobs of a step in a sentence. */
export function sayJobs(jobs: readonly JobName[]): string {
  if (jobs.length === jobNames.length) return `all ${jobs.length} jobs`;
  return jobs.length === 1 ? `the job ${jobs[0]}` : `the jobs ${jobs.join(', ')}`;
}
