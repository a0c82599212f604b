import { readOwnObjects } from '../../clients/postgres/own-objects.js';
import { isBookkeeping, type TableName } from '../../clients/sql/bookkeeping.js';
import {
  beyondReading,
  isQuery,
  type NamesRead,
  namesOf,
  type OwnObjects,
  touchedBy,
} from '../../clients/sql/reading.js';
import type { StatementFacts } from '../../clients/sql/statement.js';
import type { TargetConfig } from '../../config.js';
import type { ExecutedStatement } from '../../runbook/executed.js';
import { withSession } from '../session.js';

/** Asks the database what is behind the names of a query; null when it gives no answer. */
export type Look = (names: NamesRead) => Promise<OwnObjects | null>;

export function lookIn(target: TargetConfig): Look {
  return async (names) => {
    const session = { applicationName: 'm10bot:look' };
    const read = await withSession(target, session, (database) => readOwnObjects(database, names));
    return read.kind === 'ok' ? read.value : null;
  };
}

export interface Judged {
  readonly effect: ExecutedStatement['effect'];
  readonly note: string | null;
}

/**
 * @param elsewhere it was sent to another database, in which nothing was looked up
 * @returns null for a statement that does not count
 */
export type Judge = (statement: StatementFacts, version: TableName, elsewhere?: boolean) => Judged | null;

/**
 * Tells which statements count: all but Alembic's bookkeeping, the ends of transactions, and queries that provably
 * only read. That a name sounds like reading proves nothing, so the database is asked what is behind it.
 * @param statements all of a script: what it makes or drops itself is not found later on
 */
export async function judgeOf(statements: readonly StatementFacts[], look: Look | null): Promise<Judge> {
  const queries = statements.filter(isQuery);
  const names = namesOf(queries);
  const own = look === null || queries.length === 0 ? null : await look(names);
  const touched = touchedBy(statements);
  return (statement, version, elsewhere = false) => {
    if (isBookkeeping(statement, version)) return null;
    const beyond = isQuery(statement) ? beyondReading(statement, elsewhere ? null : own, touched) : null;
    if (beyond !== null)
      return { effect: 'unknown', note: `${beyond}: may change rows`.replace(/\s+/g, ' ') };
    const effect = effectOf(statement);
    return effect === null ? null : { effect, note: null };
  };
}

/** @returns null for what does not count */
function effectOf({ effect }: StatementFacts): ExecutedStatement['effect'] | null {
  switch (effect) {
    case 'reads':
    case 'transaction':
      return null;
    case 'locks':
    case 'session':
      return 'reads';
    case 'opaque':
    case 'unparsed':
      return 'unknown';
    case 'throws-rows-away':
    case 'changes-schema':
    case 'changes-rows':
      return 'changes';
  }
}
