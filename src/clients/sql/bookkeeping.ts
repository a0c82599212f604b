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

/** A row of Alembic's version table is inserted, updated or deleted, and nothing else is done. */
export function isBookkeeping(statement: StatementFacts, version: TableName): boolean {
  return (
    ['InsertStmt', 'UpdateStmt', 'DeleteStmt'].includes(statement.node ?? '') &&
    touchesOnly(statement, version)
  );
}
