import type { Redis } from 'ioredis';
import type { DeadLetter } from '../../clients/m10/dead-letter-entry.js';
import { deadLetterLength, groupState, readDeadLetters, trimBelow } from '../../clients/m10/dead-letters.js';
import { markersOf } from '../../clients/m10/replay-script.js';
import { noteNewMessages, openReplays } from '../../clients/m10/replays.js';
import type { JobContext } from '../job.js';
import {
  lookAtPage,
  type PageContext,
  type PageSizes,
  type ReconcileCounts,
  reconcilePage,
} from './reconcile-page.js';
import { stopReason } from './stop.js';

export interface Reconciled {
  /** Whether the main stream has its group; without it nothing could be acknowledged. */
  readonly hasGroup: boolean;
  /** Why it stopped before the end; null when it did not. */
  readonly stopped: string | null;
  readonly refused: readonly { readonly id: string; readonly why: string }[];
  /** Some of what is worth naming: malformed entries, and in a dry run what would be acknowledged. */
  readonly malformed: readonly DeadLetter[];
  readonly pending: readonly string[];
}

export const noCounts = (): ReconcileCounts => ({
  read: 0,
  archived: 0,
  alreadyArchived: 0,
  acknowledged: 0,
  malformed: 0,
  refused: 0,
  trimmed: 0,
  replaysRecorded: 0,
  replaysNoted: 0,
});

/** Entries named one by one, at most. */
const named = 20;
/** One XTRIM holds Redis up no longer than this many entries take. */
const trimAtOnce = 10_000;

/**
 * Goes through the dead-letter stream from its oldest entry. Killed between any two commands, every message is in
 * the dead-letter stream or in the archive, and the next run comes to the same end: archiving, acknowledging,
 * recording and trimming may all be done again.
 * @param counts is filled while it works, so that it tells what was done also when it fails
 */
export async function reconcile(
  context: Pick<JobContext, 'database' | 'dryRun' | 'lock' | 'signal'>,
  redis: Redis,
  limits: { readonly cap: number; readonly pages: PageSizes },
  counts: ReconcileCounts,
  onArchived: (count: number) => void,
): Promise<Reconciled> {
  const { cap, pages } = limits;
  const { database, dryRun, lock } = context;
  // What is acknowledged must have reached the disk, whatever the role's default is.
  await database.query("SELECT set_config('synchronous_commit', 'on', false)");
  const [group, first] = await Promise.all([groupState(redis), readDeadLetters(redis, null, pages.first)]);
  const hasGroup = group.kind === 'there';
  const paged: PageContext = { database, redis, hasGroup, by: `dl-reconcile:${lock.holder}`, pages };
  const refused: { id: string; why: string }[] = [];
  const malformed: DeadLetter[] = [];
  const pending: string[] = [];
  const ids: string[] = [];
  let page = first;
  let stopped: string | null = null;
  while (page.length > 0) {
    stopped = stopReason(context);
    if (stopped !== null) break;
    const done = dryRun
      ? await lookAtPage(paged, page, counts)
      : await reconcilePage(paged, page, counts, onArchived);
    ids.push(...page.map((entry) => entry.id));
    refused.push(...done.refused);
    pending.push(...done.pending.slice(0, named - pending.length));
    malformed.push(...page.filter((entry) => entry.problems.length > 0).slice(0, named - malformed.length));
    page = done.next;
  }
  stopped ??= stopReason(context);
  if (stopped === null) {
    counts.trimmed = await trim(redis, { ids, cap, refused: refused[0]?.id ?? null, dryRun });
    counts.replaysNoted = await noteOpenReplays(context, redis);
  }
  return { hasGroup, stopped, refused, malformed, pending };
}

/**
 * Cuts the stream to its cap, by id: everything below the id was archived by this run. Entries that others removed
 * meanwhile make it cut less, never more.
 * @param read the ids in their order, and the first entry that is not archived
 */
async function trim(
  redis: Redis,
  read: {
    readonly ids: readonly string[];
    readonly cap: number;
    readonly refused: string | null;
    readonly dryRun: boolean;
  },
): Promise<number> {
  const { ids, cap, refused, dryRun } = read;
  if (ids.length === 0) return 0;
  const surplus = (await deadLetterLength(redis)) - cap;
  const archived = refused === null ? ids.length - 1 : ids.indexOf(refused);
  const cut = Math.min(surplus, archived);
  if (cut <= 0) return 0;
  if (dryRun) return cut;
  const bounds: string[] = [];
  for (let at = trimAtOnce; at < cut; at += trimAtOnce) bounds.push(ids[at] ?? '');
  bounds.push(ids[cut] ?? '');
  return trimBelow(redis, bounds);
}

/** Ends what a replay left that was killed after adding its message: the marker in Redis has the new id. */
async function noteOpenReplays(
  { database, dryRun }: Pick<JobContext, 'database' | 'dryRun'>,
  redis: Redis,
): Promise<number> {
  const open = await openReplays(database, 1_000);
  const markers = await markersOf(
    redis,
    open.map((replay) => replay.original),
  );
  if (dryRun) return markers.size;
  return noteNewMessages(
    database,
    [...markers].map(([original, newId]) => ({ original, newId })),
  );
}
