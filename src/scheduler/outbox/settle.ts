import { attempt } from '../../clients/postgres/failure.js';
import type { Database } from '../../clients/postgres.js';
import { type Backoff, retryDelay } from './backoff.js';
import { bury, complete, type Failed, fail, release } from './complete.js';
import type { Tally } from './tally.js';
import type { Ended } from './window.js';

export interface SettleOptions {
  readonly database: Database;
  readonly tally: Tally;
  /** Tries before an event becomes a dead letter. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Written to `processed_by`. */
  readonly by: string;
  /** What `processed_by` holds on events of this run that are on lease. */
  readonly lease: string;
  /** Ids that were not ours any more when their delivery had ended, over the whole run. */
  readonly lost: Set<string>;
}

export interface Settled {
  /** Why events could not be archived; they stay in the outbox and are tried again. */
  readonly unburied: readonly string[];
}

/**
 * Writes down how deliveries ended: done, to be tried again, or given up. What is not ours any more is left to
 * whoever has it; a newer payload that came meanwhile is due at once.
 */
export async function settle(options: SettleOptions, ended: readonly Ended[]): Promise<Settled> {
  const { database, tally, by, lease } = options;
  const unburied: string[] = [];
  const lost: Ended[] = [];

  const done = ended.filter(({ end }) => end.kind === 'done');
  if (done.length > 0) {
    const ours = await complete(database, done, by);
    // The receiver has it either way.
    for (const { event, seconds } of done) tally.delivered(event, seconds);
    lost.push(...done.filter(({ event }) => !ours.has(event.id)));
  }

  const again: (Failed & Ended)[] = [];
  for (const one of ended) {
    if (one.end.kind !== 'failed') continue;
    const tries = one.event.failedTries + 1;
    const failure = { ...one, error: one.end.error, delayMs: delayOf(options, tries) };
    if (tries < options.attempts) {
      again.push(failure);
      continue;
    }
    const buried = await attempt(() => bury(database, failure, by));
    if (buried.kind === 'connection_lost') throw new Error(buried.message);
    if (buried.kind === 'sql_error') {
      const why = `Event ${one.event.id} could not be put into the archive of dead letters: ${buried.message}`;
      unburied.push(why);
      again.push({
        ...failure,
        error: `${why}. Its own error: ${failure.error}`,
        delayMs: options.backoff.most,
      });
    } else if (buried.value) tally.buried(one.event, one.seconds, failure.error);
    else lost.push(one);
  }
  if (again.length > 0) {
    const ours = await fail(database, again, by);
    for (const one of again) tally.retried(one.event, one.seconds, one.error);
    lost.push(...again.filter(({ event }) => !ours.has(event.id)));
  }

  // Once: should it happen to the same event again and again, its lease is the pause between the deliveries.
  const first = lost.filter(({ event }) => !options.lost.has(event.id));
  for (const { event } of first) options.lost.add(event.id);
  if (first.length > 0) await release(database, first, lease);
  return { unburied };
}

function delayOf({ backoff, random }: SettleOptions, tries: number): number {
  return retryDelay(tries, backoff, random());
}
