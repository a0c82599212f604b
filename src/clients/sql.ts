/** One statement of a script, without its semicolon and the comments in front. Lines count from 1. */
export interface SqlStatement {
  readonly text: string;
  readonly startLine: number;
  readonly endLine: number;
}

/**
 * Splits a script at the semicolons that end statements: not those in strings, quoted names, dollar quotes,
 * comments or the body of a BEGIN ATOMIC function.
 */
export function splitStatements(script: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let start = -1;
  let end = 0;
  let words: string[] = [];
  let depth = 0;
  const finish = (): void => {
    if (start >= 0) {
      statements.push({
        text: script.slice(start, end),
        startLine: lineAt(script, start),
        endLine: lineAt(script, end - 1),
      });
    }
    start = -1;
    words = [];
    depth = 0;
  };
  // The parts that cannot hold a statement's end, then words, then single characters.
  const part =
    /--[^\n]*|\/\*|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[eE]'(?:\\[\s\S]|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|[\s\S]/g;
  for (let match = part.exec(script); match !== null; match = part.exec(script)) {
    const [text] = match;
    if (/^\s/.test(text) || text.startsWith('--')) continue;
    if (text === '/*') {
      part.lastIndex = endOfComment(script, match.index);
      continue;
    }
    if (text === ';' && depth === 0) {
      finish();
      continue;
    }
    if (start < 0) start = match.index;
    if (/^\$.*\$$/.test(text)) {
      const close = script.indexOf(text, part.lastIndex);
      part.lastIndex = close < 0 ? script.length : close + text.length;
    } else if (/^\w/.test(text) && !text.includes("'")) {
      const word = text.toLowerCase();
      words.push(word);
      depth = depthAfter(word, words, depth);
    }
    end = part.lastIndex;
  }
  finish();
  return statements;
}

/** How a script divides into transactions. */
export interface TransactionShape {
  readonly transactions: number;
  /** Statements that run by themselves: when a later one fails, these stay. */
  readonly outside: readonly SqlStatement[];
  /** Statements with CONCURRENTLY, which PostgreSQL refuses inside a transaction. */
  readonly concurrent: readonly SqlStatement[];
}

/** Reads BEGIN and COMMIT of a script. More than one transaction, or anything outside, can be left half done. */
export function transactionShape(statements: readonly SqlStatement[]): TransactionShape {
  let transactions = 0;
  let inside = false;
  const outside: SqlStatement[] = [];
  for (const statement of statements) {
    if (/^(begin|start\s+transaction)\b/i.test(statement.text)) {
      inside = true;
      transactions += 1;
    } else if (/^(commit|end|rollback|abort)\b/i.test(statement.text)) {
      inside = false;
    } else if (!inside) {
      outside.push(statement);
    }
  }
  const concurrent = statements.filter(({ text }) =>
    /^(create\s+(unique\s+)?index|drop\s+index|reindex\b.*|refresh\s+materialized\s+view|alter\s+table\b.*\bdetach\b.*)\s+concurrently\b/is.test(
      text,
    ),
  );
  return { transactions, outside, concurrent };
}

/** As psql does: inside CREATE FUNCTION or PROCEDURE, BEGIN and CASE open, END closes. */
function depthAfter(word: string, words: readonly string[], depth: number): number {
  const isRoutine =
    words[0] === 'create' && words.slice(1, 4).some((w) => w === 'function' || w === 'procedure');
  if (!isRoutine) return 0;
  if (word === 'atomic' && words.at(-2) === 'begin') return depth + 1;
  if (depth > 0 && word === 'case') return depth + 1;
  if (depth > 0 && word === 'end') return depth - 1;
  return depth;
}

/** Block comments nest in PostgreSQL. */
function endOfComment(script: string, from: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  let open = 0;
  for (let match = mark.exec(script); match !== null; match = mark.exec(script)) {
    open += match[0] === '/*' ? 1 : -1;
    if (open === 0) return mark.lastIndex;
  }
  return script.length;
}

function lineAt(script: string, index: number): number {
  let line = 1;
  for (let at = script.indexOf('\n'); at >= 0 && at < index; at = script.indexOf('\n', at + 1)) line += 1;
  return line;
}
