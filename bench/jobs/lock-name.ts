import type { JobLog } from '../../src/scheduler/job.js';

/** Of no job, so that nothing else takes it. */
export const TAKEOVER_LOCK = 'm10:bench_takeover';

/** What is logged in a benchmark would only be measured too. */
export const quiet: JobLog = { info: () => {}, warn: () => {}, error: () => {} };
