import { createHash } from 'node:crypto';
import { isNode, items, type Node } from './tree.js';

/** A statement of one parse; offsets in bytes of UTF-8, as libpg-query counts them. */
export interface RawStatement {
  readonly type: string;
  readonly node: Node;
  readonly start: number;
  /** null: to the end. */
  readonly length: number | null;
}

export type Parse =
  | { readonly kind: 'parsed'; readonly statements: readonly RawStatement[] }
  | { readonly kind: 'refused'; readonly problem: string };

export interface Token {
  readonly start: number;
  readonly end: number;
  readonly comment: boolean;
}

export interface Parser {
  parse(sql: string): Parse;
  /** @returns null when the scanner refuses the text, as for a string that does not end */
  scan(sql: string): readonly Token[] | null;
}

let loaded: Promise<Parser> | null = null;
let ready: Parser | null = null;

/** PostgreSQL's parser, loaded at its first use: most starts of the bot have no SQL to read. */
export function sqlParser(): Promise<Parser> {
  loaded ??= load();
  return loaded;
}

/** The parser for those who cannot wait; null while nobody has loaded it. */
export function loadedSqlParser(): Parser | null {
  return ready;
}

async function load(): Promise<Parser> {
  const { loadModule, parseSync, scanSync } = await import('libpg-query');
  await loadModule();
  ready = {
    parse(sql) {
      // The parser reads C strings and would leave out what comes after a NUL; PostgreSQL accepts none either.
      if (sql.includes('\0')) return { kind: 'refused', problem: 'it contains a NUL character' };
      if (sql.trim() === '') return { kind: 'parsed', statements: [] };
      try {
        return { kind: 'parsed', statements: items(parseSync(sql), 'stmts').map(rawStatement) };
      } catch (error) {
        return { kind: 'refused', problem: error instanceof Error ? error.message : String(error) };
      }
    },
    scan(sql) {
      if (sql.includes('\0')) return null;
      if (sql.trim() === '') return [];
      try {
        // Its JSON is broken by control characters; none of them matters to where a token ends.
        const { tokens } = scanSync(sql.replace(controls, ' '));
        return tokens.map(({ start, end, tokenName }) => ({
          start,
          end,
          comment: tokenName === 'SQL_COMMENT' || tokenName === 'C_COMMENT',
        }));
      } catch {
        return null;
      }
    },
  };
  return ready;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const controls = /[\u0001-\u0008\u000b\u000e-\u001f\u007f]/g;

function rawStatement(entry: unknown): RawStatement {
  const wrapped = isNode(entry) && isNode(entry.stmt) ? Object.entries(entry.stmt)[0] : undefined;
  if (!isNode(entry) || wrapped === undefined || !isNode(wrapped[1])) {
    throw new Error('the parser returned a statement without a tree');
  }
  return {
    type: wrapped[0],
    node: wrapped[1],
    start: typeof entry.stmt_location === 'number' ? entry.stmt_location : 0,
    length: typeof entry.stmt_len === 'number' && entry.stmt_len > 0 ? entry.stmt_len : null,
  };
}

/** A digest of the tree without places in the text. */
export function normalFormOf(type: string, node: Node): string {
  const text = JSON.stringify([type, node], (key, value: unknown) =>
    typeof value === 'number' && isPlace(key) ? undefined : value,
  );
  return createHash('sha256').update(text).digest('hex');
}

/** A digest for what has no tree; never equal to one of a tree. */
export function normalFormOfText(text: string): string {
  return createHash('sha256').update(`unparsed\0${text}`).digest('hex');
}

/** Places are numbers: the `location` of a tablespace, a text, says where its files are. */
function isPlace(key: string): boolean {
  return key === 'stmt_len' || /(^|_)location$|(^|_)list_(start|end)$/.test(key);
}
