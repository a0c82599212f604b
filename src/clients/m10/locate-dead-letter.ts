import type { Redis } from 'ioredis';
import type { Queryable } from '../postgres.js';
import { findArchived } from './archive.js';
import { type DeadLetter, type Field, fieldsOfPayload } from './dead-letter-entry.js';
import { deadLetterById, deadLetterOf } from './dead-letters.js';
import { isMessageId } from './stream-names.js';

/** A dead letter, wherever it stands. */
export interface LocatedLetter
  extends Pick<
    DeadLetter,
    'id' | 'originalId' | 'candidateId' | 'failureMatchId' | 'reason' | 'reclaimCount' | 'fields'
  > {
  /** The entry when it stands in the dead-letter stream; null: the archive alone has it. */
  readonly entry: DeadLetter | null;
  /** ms since the epoch */
  readonly deadLetteredAt: number | null;
  readonly fields: readonly Field[];
}

/**
 * Finds a dead letter by its own id or, since people see that one in logs, by the id of its message: in the
 * dead-letter stream, and in the archive for what was trimmed.
 */
export async function locateDeadLetter(
  database: Queryable,
  redis: Redis,
  message: string,
): Promise<LocatedLetter | null> {
  const isId = isMessageId(message);
  const entry = isId ? await deadLetterById(redis, message) : null;
  if (entry !== null) return { ...entry, entry };
  const archived = await findArchived(database, message);
  if (archived !== null) {
    return { ...archived, fields: fieldsOfPayload(archived.payload), entry: null };
  }
  const searched = isId ? await deadLetterOf(redis, message) : null;
  return searched === null ? null : { ...searched, entry: searched };
}
