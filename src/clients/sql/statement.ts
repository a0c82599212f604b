/**
 * What a statement does, by PostgreSQL's own parse tree:
 * - `unparsed`: the parser refuses it (a psql command, another dialect), so what it does is not known;
 * - `throws-rows-away`: rows, columns or whole objects with rows go (DELETE, TRUNCATE, DROP TABLE, …);
 * - `opaque`: it runs code that is not in the tree (DO, CALL, EXECUTE) or acts outside of the session;
 * - `changes-schema`, `changes-rows`;
 * - `transaction`, `session`: it begins, ends or sets up what surrounds it;
 * - `locks`: it reads, and holds locks that others feel;
 * - `reads`: none of these. Functions that it calls are listed: what they do is not in the tree.
 */
export type Effect =
  | 'unparsed'
  | 'throws-rows-away'
  | 'opaque'
  | 'changes-schema'
  | 'changes-rows'
  | 'transaction'
  | 'session'
  | 'locks'
  | 'reads';

/** From the one to be most careful with. */
export const effectOrder: readonly Effect[] = [
  'unparsed',
  'throws-rows-away',
  'opaque',
  'changes-schema',
  'changes-rows',
  'transaction',
  'session',
  'locks',
  'reads',
];

/** A table, view or sequence as the statement names it; null: no schema is written. */
export interface RelationUse {
  readonly schema: string | null;
  readonly name: string;
  /** Whether the statement changes it; otherwise it is only read. */
  readonly changed: boolean;
}

/** A kind in SQL's words (`table`, `materialized view`, `function`) and the name as written, unquoted. */
export interface NamedObject {
  readonly kind: string;
  readonly name: string;
}

/** Names by which a statement may run a function without calling one; as written, like functions. */
export interface HiddenCalls {
  readonly operators: readonly string[];
  /** Types of casts: a domain checks by functions. */
  readonly types: readonly string[];
  /** `x.f` is the column f of x, or the function f(x) where there is no such column. */
  readonly fields: readonly string[];
  /** What WITH defines: a relation by this name is not listed, although it may be meant elsewhere in the statement. */
  readonly common: readonly string[];
}

export const noHiddenCalls: HiddenCalls = { operators: [], types: [], fields: [], common: [] };

export interface StatementFacts {
  /** The most dangerous of `effects`. */
  readonly effect: Effect;
  /** Everything it does: an INSERT with a DELETE in its WITH has both. Ordered as `effectOrder`. */
  readonly effects: readonly Effect[];
  /** The node of PostgreSQL's grammar (`DeleteStmt`); null when unparsed. */
  readonly node: string | null;
  readonly relations: readonly RelationUse[];
  /** Functions that it calls, as written; a part that needs quotes has them. */
  readonly functions: readonly string[];
  readonly hidden: HiddenCalls;
  /** What of it a rollback does not undo: functions that act outside of the transaction, COPY … PROGRAM. */
  readonly lasting: readonly string[];
  readonly created: readonly NamedObject[];
  readonly dropped: readonly NamedObject[];
  /** CONCURRENTLY: PostgreSQL refuses it inside a transaction. */
  readonly concurrent: boolean;
  /** For BEGIN, COMMIT, SAVEPOINT and their kind: `begin`, `commit`, `rollback`, …; null for all else. */
  readonly transaction: string | null;
}

/** One statement of a script. Lines count from 1. */
export interface ParsedStatement extends StatementFacts {
  /** Without the comments in front and behind and without its semicolon. */
  readonly text: string;
  readonly startLine: number;
  readonly endLine: number;
  /**
   * Equal for two statements exactly when their trees are: white space, comments, the case of keywords and
   * parentheses without effect make no difference, everything else does. Digest of the text when unparsed.
   */
  readonly normalForm: string;
  /** What the parser says; null when it reads the statement. */
  readonly problem: string | null;
}

export interface ParsedScript {
  readonly statements: readonly ParsedStatement[];
}

export const unparsedFacts: StatementFacts = {
  effect: 'unparsed',
  effects: ['unparsed'],
  node: null,
  relations: [],
  functions: [],
  hidden: noHiddenCalls,
  lasting: [],
  created: [],
  dropped: [],
  concurrent: false,
  transaction: null,
};
