import type { JobName } from './names.js';

/** The locks under which the jobs run, and for how long each lasts without an extension, s. */
const locks: readonly { readonly lock: RegExp; readonly job: JobName; readonly ttlSeconds: number }[] = [
  { lock: /^m10:outbox_processor$/, job: 'outbox-processor', ttlSeconds: 300 },
  { lock: /^m10:reconcile_dl$/, job: 'dl-reconcile', ttlSeconds: 600 },
  { lock: /^m10:matview:./, job: 'matview-refresh', ttlSeconds: 300 },
  { lock: /^m10:retention_cleanup$/, job: 'retention-cleanup', ttlSeconds: 3_600 },
  { lock: /^m10:reclaim_gc$/, job: 'reclaim-gc', ttlSeconds: 300 },
];

/** The job that a lock belongs to; null for a lock of something else. */
export function jobOfLock(name: string): { readonly job: JobName; readonly ttlSeconds: number } | null {
  const found = locks.find(({ lock }) => lock.test(name));
  return found === undefined ? null : { job: found.job, ttlSeconds: found.ttlSeconds };
}

/**
 * When a lock was extended last: an extension sets its end to one TTL from then.
 * @returns ms since the epoch; null when the TTL is not known, or the holder does not keep to it
 */
export function lastHeartbeat(lock: {
  readonly name: string;
  readonly acquiredAt: number;
  readonly expiresAt: number;
}): number | null {
  const known = jobOfLock(lock.name);
  if (known === null) return null;
  const at = lock.expiresAt - known.ttlSeconds * 1_000;
  // Taking the lock is the first sign of life. Clocks of one database differ by nothing, roundings by a little.
  return at < lock.acquiredAt - 1_000 ? null : Math.max(at, lock.acquiredAt);
}
