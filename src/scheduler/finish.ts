import type { JobReport } from '../runbook/jobs/port.js';
import type { JobRuns } from '../store/job-runs.js';
import type { JobLog } from './job.js';

const retryMs = [1_000, 5_000, 15_000, 60_000, 300_000];

/**
 * Notes how a run ended. While the bot's own database cannot be reached it is tried again in the background, for
 * some minutes; after that the next run of the job notes it as lost.
 */
export async function finishReliably(
  runs: Pick<JobRuns, 'finish'>,
  row: number,
  report: JobReport,
  log: JobLog,
): Promise<void> {
  try {
    await runs.finish(row, report);
  } catch (error) {
    log.warn({ error, row }, 'the end of a run could not be noted; trying again');
    again(0);
  }

  function again(tried: number): void {
    const wait = retryMs[tried];
    if (wait === undefined) return;
    const timer = setTimeout(() => {
      runs.finish(row, report).catch(() => again(tried + 1));
    }, wait);
    timer.unref();
  }
}
