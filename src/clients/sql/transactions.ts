import type { ParsedStatement } from './statement.js';

/** How a script divides into transactions. */
export interface TransactionShape {
  readonly transactions: number;
  /** Statements that run by themselves: when a later one fails, these stay. */
  readonly outside: readonly ParsedStatement[];
  /** Statements with CONCURRENTLY, which PostgreSQL refuses inside a transaction. */
  readonly concurrent: readonly ParsedStatement[];
}

/** Reads BEGIN and COMMIT of a script. More than one transaction, or anything outside, can be left half done. */
export function transactionShape(statements: readonly ParsedStatement[]): TransactionShape {
  let transactions = 0;
  let inside = false;
  const outside: ParsedStatement[] = [];
  for (const statement of statements) {
    switch (statement.transaction) {
      case 'begin':
      case 'start':
        inside = true;
        transactions += 1;
        break;
      case 'commit':
      case 'rollback':
      case 'prepare':
        inside = false;
        break;
      default:
        if (!inside) outside.push(statement);
    }
  }
  return { transactions, outside, concurrent: statements.filter((statement) => statement.concurrent) };
}
