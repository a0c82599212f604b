import type { JobContext } from '../job.js';

/** Why a job must not begin its next batch; null when it may. */
export function stopReason(context: Pick<JobContext, 'lock' | 'signal'>): string | null {
  if (!context.lock.held()) return `the lock ${context.lock.name} is not surely ours any more`;
  return context.signal.aborted ? 'it was told to stop' : null;
}

/** `1 entry`, `2,000 entries`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
