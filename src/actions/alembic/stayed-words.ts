/** A statement that may have left something. */
export interface Left {
  readonly sql: string;
  /** The database that it was sent to, in words, when that is not the target's. */
  readonly elsewhere: string | null;
}

/** What stayed, what may have, and why more may have. */
export function sayFacts(stayed: {
  readonly committed: readonly Left[];
  readonly lasting: readonly Left[];
  readonly uncertain: readonly Left[];
  readonly unanswered: readonly Left[];
  readonly unknown: readonly string[];
}): string {
  const parts = [
    sayCommitted(stayed.committed),
    sayLasting(stayed.lasting),
    sayUncertain(stayed.uncertain),
  ].filter((part) => part !== null);
  const unknown = sayUnknown(stayed.unknown, stayed.unanswered, parts.length > 0);
  return `${[...parts, ...(unknown === null ? [] : [unknown])].join('; ')}. Check before a retry`;
}

function sayCommitted(committed: readonly Left[]): string | null {
  const [first] = committed;
  if (first === undefined) return null;
  const were = committed.length === 1 ? '1 statement was' : `${committed.length} statements were`;
  return `part of it stayed: ${were} committed, such as ${shortOf(first)}`;
}

function sayLasting(lasting: readonly Left[]): string | null {
  const [first] = lasting;
  if (first === undefined) return null;
  const effects = lasting.length === 1 ? '1 statement' : `${lasting.length} statements`;
  return `part of it stayed: ${effects} had effects that a rollback does not undo, such as ${shortOf(first)}`;
}

function sayUncertain(uncertain: readonly Left[]): string | null {
  const last = uncertain.at(-1);
  if (last === undefined) return null;
  return `part of it may have stayed${sayRemains(last.sql)}: ${shortOf(last)} ran outside of the transaction and did not come to its end`;
}

/**
 * CREATE INDEX CONCURRENTLY leaves an invalid index when it fails, and a procedure or DO block outside of a
 * transaction may commit (PostgreSQL's documentation of CREATE INDEX and of Transaction Management in PL/pgSQL).
 */
function sayRemains(sql: string): string {
  if (/\bconcurrently\b/i.test(sql)) return ', such as an invalid index';
  return /^\s*(?:call|do)\b/i.test(sql) ? ', such as what it committed itself' : '';
}

function sayUnknown(unknown: readonly string[], [first]: readonly Left[], more: boolean): string | null {
  if (unknown.length === 0) return null;
  const which = first === undefined ? '' : ` (${shortOf(first)})`;
  return `whether ${more ? 'more' : 'part'} of it stayed is not known: ${unknown.join('; ')}${which}`;
}

function shortOf({ sql, elsewhere }: Left): string {
  const one = sql.replace(/\s+/g, ' ').trim();
  const short = one.length > 100 ? `${one.slice(0, 99)}…` : one;
  return elsewhere === null ? short : `${short} in ${elsewhere}`;
}
