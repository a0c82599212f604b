export interface Backoff {
  /** The shortest wait, after the first failure, ms. */
  readonly first: number;
  /** The longest wait, ms. */
  readonly most: number;
}

/**
 * How long an event waits after its nth failure, ms: twice as long each time, and up to half as long again by
 * chance, so that events which failed together don't come back together; the longest waits are spread as well.
 * Always between `first` and `most` (which wins when it is the smaller one).
 * @param failures how often it has failed by now, from 1
 * @param chance from 0 to below 1
 */
export function retryDelay(failures: number, backoff: Backoff, chance: number): number {
  const { first, most } = backoff;
  // Beyond 2^40 nothing grows that is not at its limit already.
  const doubled = first * 2 ** Math.min(Math.max(failures, 1) - 1, 40);
  const base = Math.min(doubled, Math.max(first, most / 1.5));
  return Math.round(Math.min(base * (1 + chance / 2), most));
}
