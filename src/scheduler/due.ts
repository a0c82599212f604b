import type { Ticks } from './ticks.js';

/** How a job stands when its schedule is looked at. All moments are ms since the epoch. */
export interface Standing {
  readonly paused: boolean;
  /** When the schedule was switched on last; null when it never was. */
  readonly resumedAt: number | null;
  /** The last moment that this replica has dealt with; null since its start for none. */
  readonly considered: number | null;
  /** A run of the job is under way in this replica. */
  readonly running: boolean;
}

export type Due =
  | { readonly kind: 'nothing' }
  /** A moment came while the job still ran: it is left out. */
  | { readonly kind: 'overlap'; readonly tick: number }
  | { readonly kind: 'run'; readonly tick: number; readonly trigger: 'schedule' | 'made-up' };

/** A moment that is seen later than this was missed, ms. */
const lateMs = 5_000;

/**
 * Which moment of its schedule a job is due for. Only the last one counts, so that any number of missed moments
 * is made up for by one run: whether the bot was down, its event loop blocked, the machine asleep, or the clock
 * set forward. A moment before the schedule was switched on is nobody's. When the clock is set back, no moment
 * comes a second time: the schedule goes on once the clock is past the last moment that had its run.
 * @param now ms since the epoch
 */
export function dueTick(ticks: Pick<Ticks, 'previous'>, standing: Standing, now: number): Due {
  const { paused, resumedAt, considered, running } = standing;
  if (paused || resumedAt === null) return { kind: 'nothing' };
  const tick = ticks.previous(now);
  if (tick === null || tick < resumedAt || tick <= (considered ?? 0)) return { kind: 'nothing' };
  if (running) return { kind: 'overlap', tick };
  return { kind: 'run', tick, trigger: now - tick > lateMs ? 'made-up' : 'schedule' };
}
