import type { Redis } from 'ioredis';
import { archiveDeadLetters, archivedAmong } from '../../clients/m10/archive.js';
import type { DeadLetter } from '../../clients/m10/dead-letter-entry.js';
import {
  acknowledge,
  pendingAmong,
  processedAmong,
  readDeadLetters,
} from '../../clients/m10/dead-letters.js';
import { findReplays, type NewReplay, recordReplays } from '../../clients/m10/replays.js';
import type { Queryable } from '../../clients/postgres.js';

/** What one run did, or would do. */
export interface ReconcileCounts {
  /** Entries of the dead-letter stream. */
  read: number;
  archived: number;
  alreadyArchived: number;
  /** Messages that the group was still waiting for. */
  acknowledged: number;
  /** Entries of which not everything could be read; they are archived as they are. */
  malformed: number;
  /** Entries that PostgreSQL would not take: they stay in the stream, with everything after them. */
  refused: number;
  trimmed: number;
  replaysRecorded: number;
  /** Replays of the log whose new message's id was noted only now. */
  replaysNoted: number;
}

export interface PageResult {
  /** The page after this one. */
  readonly next: readonly DeadLetter[];
  readonly refused: readonly { readonly id: string; readonly why: string }[];
  /** Messages acknowledged, or that would be; a dry run names them. */
  readonly pending: readonly string[];
}

/** How a page is worked on; without a group nothing is pending. */
export interface PageContext {
  readonly database: Queryable;
  readonly redis: Redis;
  readonly hasGroup: boolean;
  readonly by: string;
  readonly pages: PageSizes;
}

/** How many entries one page holds. */
export interface PageSizes {
  /** The first one shows how large entries are. */
  readonly first: number;
  readonly most: number;
}
export const pageSizes: PageSizes = { first: 100, most: 1_000 };
const pageBytes = 8_000_000;

/** How many entries the next page holds, so that huge ones come in small pages. */
function nextPageSize(page: readonly DeadLetter[], { most }: PageSizes): number {
  const bytes = page.reduce((sum, entry) => sum + entry.bytes, 0);
  const average = Math.max(1, bytes / Math.max(1, page.length));
  return Math.max(1, Math.min(most, Math.floor(pageBytes / average)));
}

/**
 * Archives a page, then acknowledges its messages, and reads the page after it: two round trips. The order is what
 * keeps a message: once acknowledged it is nowhere but in the dead-letter stream, which its producers cut.
 */
export async function reconcilePage(
  context: PageContext,
  page: readonly DeadLetter[],
  counts: ReconcileCounts,
  onArchived: (count: number) => void,
): Promise<PageResult> {
  const { database, redis, by } = context;
  const { archived, refused } = await archiveDeadLetters(database, page, by);
  counts.read += page.length;
  counts.archived += archived;
  counts.alreadyArchived += page.length - archived - refused.length;
  counts.refused += refused.length;
  counts.malformed += page.filter((entry) => entry.problems.length > 0).length;
  if (archived > 0) onArchived(archived);
  const kept = new Set(refused.map(({ id }) => id));
  const safe = page.filter((entry) => !kept.has(entry.id));
  // Sent together, answered together: nothing here waits for one another.
  const [acknowledged, processed, next] = await Promise.all([
    context.hasGroup ? acknowledge(redis, originalsOf(safe)) : 0,
    processedAmong(redis, idsOf(safe)),
    readDeadLetters(redis, page.at(-1)?.id ?? null, nextPageSize(page, context.pages)),
  ]);
  counts.acknowledged += acknowledged;
  counts.replaysRecorded += await recordReplays(database, replaysOf(safe, processed), by);
  return { next, refused, pending: [] };
}

/** What `reconcilePage` would do. Changes nothing. */
export async function lookAtPage(
  context: PageContext,
  page: readonly DeadLetter[],
  counts: ReconcileCounts,
): Promise<PageResult> {
  const { database, redis } = context;
  const known = await archivedAmong(
    database,
    page.map((entry) => entry.id),
  );
  const originals = originalsOf(page);
  const [pending, processed, next] = await Promise.all([
    context.hasGroup ? pendingAmong(redis, originals) : new Set<string>(),
    processedAmong(redis, idsOf(page)),
    readDeadLetters(redis, page.at(-1)?.id ?? null, nextPageSize(page, context.pages)),
  ]);
  const replays = replaysOf(page, processed);
  const logged = await findReplays(
    database,
    replays.map((replay) => replay.original),
  );
  counts.read += page.length;
  counts.archived += page.length - known.size;
  counts.alreadyArchived += known.size;
  counts.malformed += page.filter((entry) => entry.problems.length > 0).length;
  counts.acknowledged += pending.size;
  counts.replaysRecorded += replays.filter((replay) => !logged.has(replay.original)).length;
  return { next, refused: [], pending: [...pending] };
}

function originalsOf(page: readonly DeadLetter[]): string[] {
  return [...new Set(page.flatMap((entry) => entry.originalId ?? []))];
}

function idsOf(page: readonly DeadLetter[]): string[] {
  return page.flatMap((entry) => (entry.originalId === null ? [entry.id] : [entry.originalId, entry.id]));
}

/**
 * Replays that the entries prove, for the log: the set of replayed messages names the message or its dead letter,
 * as workers that replay without the log leave it; or the entry is a replayed message that was given up again and
 * says of which message it was a copy.
 */
function replaysOf(page: readonly DeadLetter[], processed: ReadonlySet<string>): NewReplay[] {
  const found = new Map<string, NewReplay>();
  for (const { id, originalId, candidateId, replayOf } of page) {
    const candidate = candidateId;
    if (originalId !== null && (processed.has(originalId) || processed.has(id))) {
      found.set(originalId, { original: originalId, deadLetter: id, candidate, key: null, newId: null });
    }
    if (replayOf !== null) {
      const { original, key } = replayOf;
      found.set(original, { original, deadLetter: null, candidate, key, newId: originalId });
    }
  }
  return [...found.values()];
}
