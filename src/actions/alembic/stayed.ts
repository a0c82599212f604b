import { sayConnection } from '../../checks/plan/database.js';
import { movesVersion, parsedOf, thatLeaveSomething } from '../../checks/plan/executed.js';
import type { Look } from '../../checks/plan/judged.js';
import type { Observed, ObservedStatement, UnansweredCommit } from '../../clients/alembic/observed.js';
import type { StatementFacts } from '../../clients/sql/statement.js';
import { firstWords } from '../../excerpt.js';
import { type Left, sayFacts } from './stayed-words.js';
import type { Traces } from './traces.js';

/** What was read of a target once none of the program's sessions was left. */
export interface Found {
  readonly traces: Traces;
  /** Whether the version table has the revisions from before, the wanted ones, or others. */
  readonly version: 'kept' | 'moved' | 'other';
}

/** What is left of an Alembic that did not come to its end, once none of its sessions is at work. */
export interface Stayed {
  /** `nothing` is only said where the report is whole and everything that it has was rolled back. */
  readonly kind: 'nothing' | 'part' | 'unknown';
  /** These were committed, or ran by themselves. */
  readonly committed: readonly Left[];
  /** A rollback did not undo what these did outside of their transaction. */
  readonly lasting: readonly Left[];
  /** These ran by themselves and did not come to their end. */
  readonly uncertain: readonly Left[];
  /** Nobody saw whether these were committed, and the target does not tell. */
  readonly unanswered: readonly Left[];
  /** Why more may have stayed than is known. */
  readonly unknown: readonly string[];
  /** The last of them was seen to commit a change of the version table's row. */
  readonly movedVersion: boolean;
}

type Redact = (text: string) => string;

/** A transaction that was never committed leaves nothing; everything else is told, or not known. */
export async function stayedOf(
  observed: readonly (Observed | null)[],
  found: Found,
  look: Look,
): Promise<Stayed> {
  const committed: Left[] = [];
  const lasting: Left[] = [];
  const uncertain: Left[] = [];
  const unanswered: Left[] = [];
  const unknown: string[] = [];
  let movedVersion = false;
  for (const one of observed) {
    if (one === null) {
      unknown.push('Alembic could not be observed');
      continue;
    }
    const made: ObservedStatement[] = [...one.committed];
    for (const commit of one.unanswered) {
      const fate = await fateOf(one, commit, found);
      if (fate === 'committed') made.push(...commit.statements);
      if (fate === 'unknown') unanswered.push(...(await left(one, commit.statements, look)));
    }
    movedVersion = await movesVersion(one, made);
    committed.push(...(await left(one, made, look)));
    uncertain.push(...(await left(one, one.uncertain, look)));
    lasting.push(...(await lastingIn(one, [...made, ...one.uncertain], found.traces)));
    unknown.push(...(await unseen(one, look)));
  }
  if (unanswered.length > 0) unknown.push('a commit was sent, and its answer was not seen');
  unknown.push(
    ...found.traces.prepared.map(
      (gid) => `the transaction '${gid}' was prepared meanwhile and is still there`,
    ),
  );
  const part = committed.length + lasting.length + uncertain.length > 0;
  const kind = unknown.length > 0 ? 'unknown' : part ? 'part' : 'nothing';
  return { kind, committed, lasting, uncertain, unanswered, unknown: [...new Set(unknown)], movedVersion };
}

/** As the end of a sentence, with statements in short. */
export function sayStayed(stayed: Stayed, redact: Redact): string {
  switch (stayed.kind) {
    case 'nothing':
      return 'nothing of it stayed: no transaction of it was committed, and none of its sessions is left';
    case 'part':
    case 'unknown':
      return sayFacts(stayed, redact);
  }
}

/** What became of a commit that nobody answered, by the transaction's id or by the row that it would have moved. */
async function fateOf(
  one: Observed,
  commit: UnansweredCommit,
  { traces, version }: Found,
): Promise<'committed' | 'rolled back' | 'unknown'> {
  if (!isTarget(one, commit.connection)) return 'unknown';
  if (commit.xid === null) return 'rolled back';
  const status = commit.xid === undefined ? null : traces.transactions.get(commit.xid);
  if (status === 'committed') return 'committed';
  if (status === 'aborted') return 'rolled back';
  if (version === 'other' || !(await movesVersion(one, commit.statements))) return 'unknown';
  return version === 'moved' ? 'committed' : 'rolled back';
}

async function left(one: Observed, statements: readonly ObservedStatement[], look: Look): Promise<Left[]> {
  return (await thatLeaveSomething(one, statements, look)).map((sent) => leftOf(one, sent));
}

function leftOf(one: Observed, { sql, connection }: ObservedStatement): Left {
  const where = one.connections.find((c) => c.id === connection);
  return { sql, elsewhere: where?.target === false ? sayConnection(where) : null };
}

function isTarget(one: Observed, connection: number | null): boolean {
  return one.connections.some((c) => c.id === connection && c.target === true);
}

/** Of statements that were rolled back: what they did past their transaction. */
async function lastingIn(one: Observed, told: readonly ObservedStatement[], traces: Traces): Promise<Left[]> {
  const known = new Set(told);
  const found: Left[] = [];
  for (const sent of one.statements) {
    if (known.has(sent)) continue;
    const parsed = await parsedOf(sent);
    if (parsed.some((each) => each.lasting.length > 0 || changesForeign(each, traces))) {
      found.push(leftOf(one, sent));
    }
  }
  return found;
}

/** What becomes of a foreign table's rows is up to its wrapper: few of them roll back. */
function changesForeign({ relations }: StatementFacts, { foreignTables }: Traces): boolean {
  return relations.some(
    ({ changed, schema, name }) =>
      changed &&
      foreignTables.some((foreign) => foreign.table === name && [null, foreign.schema].includes(schema)),
  );
}

/** What was at work and is not in the report. */
async function unseen(one: Observed, look: Look): Promise<string[]> {
  const programs = [...new Set(one.programs.map((argv) => firstWords(argv.join(' '), 100)))];
  const others: string[] = [];
  for (const connection of one.connections) {
    // Elsewhere than in PostgreSQL, a rollback need not undo what was sent (MySQL commits with each DDL).
    if (connection.target !== false || connection.dialect === 'postgresql') continue;
    const sent = one.statements.filter((s) => s.connection === connection.id);
    if ((await left(one, sent, look)).length > 0) others.push(sayConnection(connection));
  }
  return [
    ...(one.cut ? ['its report is not complete'] : []),
    ...(one.truncated ? ['it executed more statements than were recorded'] : []),
    ...programs.map((program) => `it started ${program}, whose work was not observed`),
    ...others.map((other) => `it worked on ${other}, which was not looked at`),
  ];
}
