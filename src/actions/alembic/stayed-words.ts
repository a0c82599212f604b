import { shortLine } from '../../excerpt.js';

/** A statement that may have left something. */
export interface Left {
  readonly sql: string;
  /** The database that it was sent to, in words, when that is not the target's. */
  readonly elsewhere: string | null;
}

type Redact = (text: string) => string;

/** What stayed, what may have, and why more may have. */
export function sayFacts(
  stayed: {
    readonly committed: readonly Left[];
    readonly lasting: readonly Left[];
    readonly uncertain: readonly Left[];
    readonly unanswered: readonly Left[];
    readonly unknown: readonly string[];
  },
  redact: Redact,
): string {
  const parts = [
    sayCommitted(redact, stayed.committed),
    sayLasting(redact, stayed.lasting),
    sayUncertain(redact, stayed.uncertain),
  ].filter((part) => part !== null);
  const unknown = sayUnknown(redact, stayed.unknown, stayed.unanswered, parts.length > 0);
  return `${[...parts, ...(unknown === null ? [] : [unknown])].join('; ')}. Check before a retry`;
}

function sayCommitted(redact: Redact, committed: readonly Left[]): string | null {
  const [first] = committed;
  if (first === undefined) return null;
  const were = committed.length === 1 ? '1 statement was' : `${committed.length} statements were`;
  return `part of it stayed: ${were} committed, such as ${shortOf(first, redact)}`;
}

function sayLasting(redact: Redact, lasting: readonly Left[]): string | null {
  const [first] = lasting;
  if (first === undefined) return null;
  const effects = lasting.length === 1 ? '1 statement' : `${lasting.length} statements`;
  return `part of it stayed: ${effects} had effects that a rollback does not undo, such as ${shortOf(first, redact)}`;
}

function sayUncertain(redact: Redact, uncertain: readonly Left[]): string | null {
  const last = uncertain.at(-1);
  if (last === undefined) return null;
  return `part of it may have stayed${sayRemains(last.sql)}: ${shortOf(last, redact)} ran outside of the transaction and did not come to its end`;
}

/**
 * CREATE INDEX CONCURRENTLY leaves an invalid index when it fails, and a procedure or DO block outside of a
 * transaction may commit (PostgreSQL's documentation of CREATE INDEX and of Transaction Management in PL/pgSQL).
 */
function sayRemains(sql: string): string {
  if (/\bconcurrently\b/i.test(sql)) return ', such as an invalid index';
  return /^\s*(?:call|do)\b/i.test(sql) ? ', such as what it committed itself' : '';
}

function sayUnknown(
  redact: Redact,
  unknown: readonly string[],
  [first]: readonly Left[],
  more: boolean,
): string | null {
  if (unknown.length === 0) return null;
  const which = first === undefined ? '' : ` (${shortOf(first, redact)})`;
  return `whether ${more ? 'more' : 'part'} of it stayed is not known: ${unknown.join('; ')}${which}`;
}

function shortOf({ sql, elsewhere }: Left, redact: Redact): string {
  const short = shortLine(sql, 100, redact);
  return elsewhere === null ? short : `${short} in ${elsewhere}`;
}
