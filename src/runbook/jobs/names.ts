/** The periodic M10 jobs, in the order in which people read them. */
export const jobNames = [
  'outbox-processor',
  'dl-reconcile',
  'matview-refresh',
  'retention-cleanup',
  'reclaim-gc',
] as const;
export type JobName = (typeof jobNames)[number];

export function isJobName(text: string): text is JobName {
  return jobNames.some((name) => name === text);
}
