import { expect, it } from 'vitest';
import { createProcesses } from '../../../src/clients/process.js';
import { JobsFile, jobsConfig } from '../../../src/config-jobs.js';
import { jobOfLock, lastHeartbeat } from '../../../src/runbook/jobs/lock-names.js';
import { jobNames } from '../../../src/runbook/jobs/names.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { createMatviewRefresh } from '../../../src/scheduler/jobs/matview-refresh.js';
import { createOutboxProcessor } from '../../../src/scheduler/jobs/outbox-processor.js';
import { createReclaimGc } from '../../../src/scheduler/jobs/reclaim-gc.js';
import { createRetentionCleanup } from '../../../src/scheduler/jobs/retention-cleanup.js';

it('knows every job by the lock that the job itself names, and how long that lasts', () => {
  const config = jobsConfig(JobsFile.parse({ target: 'production' }));
  const processes = createProcesses({ directory: 'never-used' });
  const jobs = [
    createOutboxProcessor({
      config: config['outbox-processor'],
      channel: 'C1',
      notice: async () => undefined,
      processes,
    }),
    createDlReconcile({}),
    createMatviewRefresh({ view: 'mv_of_their_own' }),
    createRetentionCleanup(config['retention-cleanup']),
    createReclaimGc(),
  ];
  expect(jobs.map(({ name }) => name)).toEqual(jobNames);
  for (const { name, lock, ttlSeconds } of jobs) {
    expect(jobOfLock(lock), lock).toEqual({ job: name, ttlSeconds });
  }
});

it('knows nothing of other locks', () => {
  for (const name of ['backup', 'm10:matview:', 'm10:reclaim_gc2', 'x:m10:reclaim_gc']) {
    expect(jobOfLock(name), name).toBeNull();
  }
});

it('tells the last heartbeat from the expiry, where the holder keeps to the TTL', () => {
  const lock = { name: 'm10:reclaim_gc', acquiredAt: 1_000_000, expiresAt: 1_900_000 };
  expect(lastHeartbeat(lock)).toBe(1_600_000);
  // Just taken: its first sign of life. A little less than a TTL is rounding.
  expect(lastHeartbeat({ ...lock, expiresAt: 1_299_500 })).toBe(1_000_000);
  // It was taken for less than the TTL of the job, so nothing follows from its end.
  expect(lastHeartbeat({ ...lock, expiresAt: 1_100_000 })).toBeNull();
  expect(lastHeartbeat({ ...lock, name: 'backup' })).toBeNull();
});
