import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Queryable } from '../postgres.js';
import { archiveDeadLetters } from './archive.js';
import { excerptOf } from './dead-letter-entry.js';
import { groupState, processedAmong } from './dead-letters.js';
import { type LocatedLetter, locateDeadLetter } from './locate-dead-letter.js';
import { addOnce, markersOf } from './replay-script.js';
import { disownReplay, findReplay, noteNewMessages, type Replay, recordReplay } from './replays.js';
import { isMessageId } from './stream-names.js';

export interface ReplayDeps {
  readonly database: Queryable;
  readonly redis: Redis;
  /** Id of a dead letter, or of the message it was. */
  readonly message: string;
}

/** A replay of a message as far as anything tells of it. */
export interface KnownReplay {
  /** null: whoever replayed it did not note the new message's id. */
  readonly newId: string | null;
  /** ms since the epoch; null when the log has no row of it. */
  readonly at: number | null;
  readonly by: string | null;
}

export type ReplayResult =
  | {
      readonly kind: 'replayed';
      readonly original: string;
      readonly deadLetter: string;
      readonly newId: string;
      /** False: the new id is not in the replay log yet; dl-reconcile notes it. */
      readonly noted: boolean;
    }
  | ({ readonly kind: 'already'; readonly original: string } & KnownReplay)
  | { readonly kind: 'not-found' }
  /** A dead letter that cannot be put back, and why. Nothing was changed. */
  | { readonly kind: 'unfit'; readonly why: string };

const noReaders = {
  kind: 'unfit',
  why: 'the consumer group of the main stream does not exist, so nobody would read the message',
} as const satisfies ReplayResult;

/**
 * Puts a dead-lettered message back into the main stream, once.
 *
 * In this order: the dead letter is archived; `record_replay` claims the message in the log under a key that
 * follows from the message; one script adds the message together with a marker of its own in Redis; the new id is
 * noted in the log. Killed anywhere, the same call goes on where it stopped: a claimed row without a new id is
 * ours by its key, and the marker tells whether the message was added. So it is neither lost nor doubled, also when
 * two replicas do it at once, and after a failover of Redis that took message and marker alike.
 * @throws the drivers' errors when PostgreSQL or Redis fails; what then happened `wasReplayed` tells
 */
export async function replayDeadLetter(deps: ReplayDeps & { readonly by: string }): Promise<ReplayResult> {
  const { database, redis, by } = deps;
  const letter = await locateDeadLetter(database, redis, deps.message);
  if (letter === null) return { kind: 'not-found' };
  const fit = fitness(letter);
  if (fit.kind === 'unfit') return fit;
  const { original } = fit;
  const known = await knownReplay(deps, letter.id, original);
  if (known.kind === 'replayed') return { ...known, kind: 'already', original };
  // Asked before anything is claimed, so that the log does not tell of a replay that nobody could read.
  if ((await groupState(redis)).kind === 'missing') return noReaders;
  if (letter.entry !== null) {
    const { refused } = await archiveDeadLetters(database, [letter.entry], `m10bot:${by}`);
    const why = refused[0]?.why;
    if (why !== undefined) return { kind: 'unfit', why: `the archive does not take it: ${why}` };
  }
  const key = replayKey(original);
  const claim = { original, deadLetter: letter.id, candidate: letter.candidateId, key, newId: null };
  if (!(await recordReplay(database, claim, by))) {
    // Somebody claimed it since: another replica of ours, which the script below sorts out, or another worker.
    const row = await findReplay(database, original);
    if (row !== null && !isOurs(row)) return { kind: 'already', original, ...told(row) };
  }
  const added = await addOnce(redis, { original, deadLetter: letter.id, key, fields: letter.fields });
  switch (added.kind) {
    case 'new':
    case 'added': {
      const noted = await noteNewMessages(database, [{ original, newId: added.newId }]).then(
        () => true,
        // The message is back, which must not be called a failure; dl-reconcile notes it from the marker.
        () => false,
      );
      if (added.kind === 'new') {
        return { kind: 'replayed', original, deadLetter: letter.id, newId: added.newId, noted };
      }
      const row = noted ? await findReplay(database, original) : null;
      return { kind: 'already', original, newId: added.newId, at: row?.at ?? null, by: row?.by ?? null };
    }
    case 'processed':
      await disownReplay(database, original, 'another worker had replayed it');
      return { kind: 'already', original, newId: null, at: null, by: null };
    case 'no-readers':
      return noReaders;
  }
}

export type WasReplayed =
  | ({ readonly kind: 'replayed' } & KnownReplay)
  /** @property recordedAt when a replay of ours was begun that put nothing back; it may be run again */
  | { readonly kind: 'not-replayed'; readonly recordedAt: number | null }
  | { readonly kind: 'not-found' };

/** Whether a message was put back, for after a crash. Changes nothing. */
export async function wasReplayed(deps: ReplayDeps): Promise<WasReplayed> {
  const letter = await locateDeadLetter(deps.database, deps.redis, deps.message);
  if (letter === null) return { kind: 'not-found' };
  const fit = fitness(letter);
  if (fit.kind === 'unfit') return { kind: 'not-replayed', recordedAt: null };
  return knownReplay(deps, letter.id, fit.original);
}

/** A dead letter as people are shown it before they approve. */
export interface ShownLetter {
  readonly deadLetter: string;
  readonly original: string | null;
  readonly candidateId: string | null;
  readonly failureMatchId: string | null;
  readonly reason: string | null;
  readonly reclaimCount: number | null;
  /** ms since the epoch */
  readonly deadLetteredAt: number | null;
  /** `stream`: the dead-letter stream. `archive`: it was trimmed from there. */
  readonly where: 'stream' | 'archive';
  /** The beginning of its fields. */
  readonly excerpt: string;
  /** Why it cannot be put back; null when it can. */
  readonly unfit: string | null;
  readonly replayed: KnownReplay | null;
}

/** Looks a dead letter up for showing; null when there is none. Changes nothing. */
export async function findDeadLetter(deps: ReplayDeps): Promise<ShownLetter | null> {
  const letter = await locateDeadLetter(deps.database, deps.redis, deps.message);
  if (letter === null) return null;
  const fit = fitness(letter);
  const known = fit.kind === 'fit' ? await knownReplay(deps, letter.id, fit.original) : null;
  return {
    deadLetter: letter.id,
    original: letter.originalId,
    candidateId: letter.candidateId,
    failureMatchId: letter.failureMatchId,
    reason: letter.reason,
    reclaimCount: letter.reclaimCount,
    deadLetteredAt: letter.deadLetteredAt,
    where: letter.entry === null ? 'archive' : 'stream',
    excerpt: excerptOf(letter.fields),
    unfit: fit.kind === 'unfit' ? fit.why : null,
    replayed: known?.kind === 'replayed' ? { newId: known.newId, at: known.at, by: known.by } : null,
  };
}

/** A message is replayed once, so its key follows from its id; and a row with this key is ours. */
export function replayKey(original: string): string {
  const hex = createHash('sha256').update(`m10bot replay ${original}`).digest('hex');
  // Version 8, made in a way of one's own: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
  return [...parts, hex.slice(20, 32)].join('-');
}

async function knownReplay(
  deps: Pick<ReplayDeps, 'database' | 'redis'>,
  letter: string,
  original: string,
): Promise<Exclude<WasReplayed, { kind: 'not-found' }>> {
  const row = await findReplay(deps.database, original);
  const [markers, processed] = await Promise.all([
    markersOf(deps.redis, [original]),
    processedAmong(deps.redis, [original, letter]),
  ]);
  const marker = markers.get(original);
  if (marker !== undefined) {
    return { kind: 'replayed', newId: marker, at: row?.at ?? null, by: row?.by ?? null };
  }
  if (row !== null && (row.newId !== null || !isOurs(row))) return { kind: 'replayed', ...told(row) };
  // Another worker put it back and keeps no log.
  if (processed.size > 0) return { kind: 'replayed', newId: null, at: null, by: null };
  return { kind: 'not-replayed', recordedAt: row?.at ?? null };
}

function isOurs(row: Replay): boolean {
  return row.key === replayKey(row.original);
}

function told(row: Replay): KnownReplay {
  return { newId: row.newId, at: row.at, by: row.by };
}

function fitness(
  letter: LocatedLetter,
): { readonly kind: 'fit'; readonly original: string } | { readonly kind: 'unfit'; readonly why: string } {
  const original = letter.originalId;
  if (original === null || !isMessageId(original)) {
    return { kind: 'unfit', why: 'it does not name the message of the main stream that it was' };
  }
  return { kind: 'fit', original };
}
