import { diffParts } from '../fingerprint.js';
import type { JobParts } from './events.js';
import type { JobName } from './names.js';
import type { Standing } from './rule.js';
import type { JobsState, ScheduleCover } from './state.js';

/** What of a job differs from what its schedule may do, one line each; empty when nothing does. */
export function differences({ approval, parts }: ScheduleCover, now: JobParts): string[] {
  return diffParts(parts, now, approval === null ? 'when found' : 'when approved');
}

/**
 * How a schedule stands towards the approval of what it does.
 * @param now what the job does now; null when that could not be read
 */
export function standingOf(state: JobsState, job: JobName, now: JobParts | null): Standing {
  if (state.paused[job] !== null) return 'off';
  const cover = state.covers[job];
  if (cover === null || cover.approval === null) return 'unapproved';
  if (now === null) return 'unread';
  return differences(cover, now).length === 0 ? 'approved' : 'changed';
}
