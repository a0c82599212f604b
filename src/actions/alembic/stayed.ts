import { thatLeaveSomething } from '../../checks/plan/executed.js';
import type { Look } from '../../checks/plan/judged.js';
import type { Observed, ObservedStatement } from '../../clients/alembic/observed.js';
import { shortLine } from '../../excerpt.js';

/** What is left of an Alembic that did not come to its end, once none of its sessions is at work. */
export type Stayed =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'statements';
      /** These were committed, or ran by themselves. */
      readonly committed: readonly ObservedStatement[];
      /** These ran by themselves and did not come to their end. */
      readonly uncertain: readonly ObservedStatement[];
    }
  /** It was not observed, or not to its end: nothing can be said. */
  | { readonly kind: 'unknown'; readonly why: string };

type Redact = (text: string) => string;
/** Of a statement in a sentence, characters. */
const longest = 100;

/** A transaction that was never committed leaves nothing; everything else is told, or not known. */
export async function stayedOf(observed: readonly (Observed | null)[], look: Look): Promise<Stayed> {
  const committed: ObservedStatement[] = [];
  const uncertain: ObservedStatement[] = [];
  for (const one of observed) {
    if (one === null) return { kind: 'unknown', why: 'Alembic could not be observed' };
    if (one.truncated) return { kind: 'unknown', why: 'it executed more statements than were recorded' };
    if (one.programs.length > 0 && one.done.length > 0) {
      return { kind: 'unknown', why: 'it started other programs, whose work was not observed' };
    }
    committed.push(...(await thatLeaveSomething(one, one.committed, look)));
    uncertain.push(...(await thatLeaveSomething(one, one.uncertain, look)));
  }
  const nothing = committed.length === 0 && uncertain.length === 0;
  return nothing ? { kind: 'nothing' } : { kind: 'statements', committed, uncertain };
}

/** As the end of a sentence, with statements in short. */
export function sayStayed(stayed: Stayed, redact: Redact): string {
  switch (stayed.kind) {
    case 'nothing':
      return 'nothing of it stayed: no transaction of it was committed, and none of its sessions is left';
    case 'statements': {
      const parts = [sayCommitted(stayed.committed, redact), sayUncertain(stayed.uncertain, redact)];
      return `${parts.filter((part) => part !== null).join('; ')}. Check before a retry`;
    }
    case 'unknown':
      return `whether part of it stayed is not known: ${stayed.why}`;
  }
}

function sayCommitted(committed: readonly ObservedStatement[], redact: Redact): string | null {
  const [first] = committed;
  if (first === undefined) return null;
  const were = committed.length === 1 ? '1 statement was' : `${committed.length} statements were`;
  return `part of it stayed: ${were} committed, such as ${shortLine(first.sql, longest, redact)}`;
}

/** CREATE INDEX CONCURRENTLY leaves an invalid index when it fails: PostgreSQL's documentation of CREATE INDEX. */
function sayUncertain(uncertain: readonly ObservedStatement[], redact: Redact): string | null {
  const last = uncertain.at(-1);
  if (last === undefined) return null;
  return `part of it may have stayed, such as an invalid index: ${shortLine(last.sql, longest, redact)} ran outside of the transaction and did not come to its end`;
}
