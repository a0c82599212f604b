import type { StatementFacts } from './statement.js';

/** A table as a statement names it; without a schema, the statement names none either. */
export interface TableName {
  readonly schema?: string | null;
  readonly table: string;
}

/** Whether the one relation that a statement names is this table. It says nothing about what is done to it. */
export function touchesOnly(statement: StatementFacts, { schema = null, table }: TableName): boolean {
  return (
    statement.effect !== 'unparsed' &&
    statement.relations.length > 0 &&
    statement.functions.length === 0 &&
    statement.relations.every((relation) => relation.name === table && relation.schema === schema)
  );
}

const rowChanges = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt']);
const tableChanges = new Set(['CreateStmt', 'DropStmt']);

/** A row of Alembic's version table is inserted, updated or deleted, and nothing else is done. */
export function changesVersionRow(statement: StatementFacts, version: TableName): boolean {
  return rowChanges.has(statement.node ?? '') && touchesOnly(statement, version);
}

/** All that Alembic does with its version table for itself: its rows, the table, and reading it. */
export function isBookkeeping(statement: StatementFacts, version: TableName): boolean {
  const { node, effect } = statement;
  const own = tableChanges.has(node ?? '') || (node === 'SelectStmt' && effect === 'reads');
  return changesVersionRow(statement, version) || (own && touchesOnly(statement, version));
}
