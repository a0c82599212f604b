import { parseScript } from './parse-script.js';
import { normalFormOf, type Parser, sqlParser } from './parser.js';
import type { ParsedStatement } from './statement.js';
import { isNode, type Node, unwrap } from './tree.js';

/**
 * How a driver marks the places of values: `pyformat` and `format` are `%(name)s` and `%s` (psycopg, pg8000), in
 * which `%%` is a percent sign; `numeric` is `$1` (asyncpg).
 */
export type ParamStyle = 'pyformat' | 'format' | 'numeric';

/** A value as JSON has it. A number whose digits matter comes as `{ number: '1.10' }`. */
export type BoundValue = string | number | bigint | boolean | null | { readonly number: string };

/** null: the driver was given no values and left the text as it is. */
export type BoundValues = readonly unknown[] | Readonly<Record<string, unknown>> | null;

export interface ExecutedStatement extends ParsedStatement {
  readonly otherForms: readonly string[];
}

/**
 * A statement as it was executed, with its values in the place of their marks, so that people can read it and it can
 * be compared with the SQL that Alembic prints offline. A cast right around a value, which drivers add, may be there or not. What cannot
 * be told keeps its marks and is equal to nothing that was approved.
 */
export async function executedForm(
  sql: string,
  parameters: BoundValues,
  style: ParamStyle,
): Promise<ExecutedStatement[]> {
  const marked = style === 'numeric' ? numbered(sql, parameters) : formatted(sql, parameters);
  const { statements } = await parseScript(marked.sql);
  const parser = await sqlParser();
  return statements.map((statement) => {
    const parsed = statement.effect === 'unparsed' ? null : parser.parse(statement.text);
    const raw = parsed?.kind === 'parsed' ? parsed.statements[0] : undefined;
    if (raw === undefined || marked.values.length === 0) return { ...statement, otherForms: [] };
    const kept = bind(raw.node, marked.values, false);
    const bare = bind(raw.node, marked.values, true);
    return {
      ...statement,
      text: withValues(parser, statement.text, marked.values),
      normalForm: normalFormOf(raw.type, bare),
      otherForms: [normalFormOf(raw.type, kept)],
    };
  });
}

interface Marked {
  readonly sql: string;
  /** The value of $1, $2, …; undefined where none is known. */
  readonly values: readonly (Node | undefined)[];
}

function numbered(sql: string, parameters: BoundValues): Marked {
  return { sql, values: Array.isArray(parameters) ? parameters.map(constant) : [] };
}

/** These drivers replace marks in the text, wherever they are, strings and comments included. */
function formatted(sql: string, parameters: BoundValues): Marked {
  if (parameters === null) return { sql, values: [] };
  const values: (Node | undefined)[] = [];
  const byName = new Map<string, number>();
  let next = 0;
  const text = sql.replace(/%(?:%|s|\(([^)]*)\)s)/g, (mark, name: string | undefined) => {
    if (mark === '%%') return '%';
    const key = name ?? `\0${next}`;
    let number = byName.get(key);
    if (number === undefined) {
      const value = name === undefined ? positional(parameters, next) : named(parameters, name);
      number = values.push(constant(value));
      byName.set(key, number);
    }
    if (name === undefined) next += 1;
    return `$${number}`;
  });
  return { sql: text, values };
}

function positional(parameters: NonNullable<BoundValues>, index: number): unknown {
  return Array.isArray(parameters) ? parameters[index] : undefined;
}

function named(parameters: NonNullable<BoundValues>, name: string): unknown {
  if (Array.isArray(parameters) || !Object.hasOwn(parameters, name)) return undefined;
  return Reflect.get(parameters, name);
}

/** The node that the parser makes of a literal; undefined for what has none (lists, documents). */
function constant(value: unknown): Node | undefined {
  if (value === null) return { A_Const: { isnull: true } };
  if (typeof value === 'string') return { A_Const: { sval: { sval: value } } };
  if (typeof value === 'boolean') return { A_Const: { boolval: value ? { boolval: true } : {} } };
  if (typeof value === 'number') return Number.isFinite(value) ? numeral(String(value)) : undefined;
  if (typeof value === 'bigint') return numeral(value.toString());
  if (isNode(value) && typeof value.number === 'string') return numeral(value.number);
  return undefined;
}

function numeral(digits: string): Node | undefined {
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits)) return undefined;
  const whole = /^-?\d+$/.test(digits) ? BigInt(digits) : null;
  // Numbers within 32 bits are integers in the tree, all others are text.
  if (whole !== null && whole <= 2_147_483_647n && whole >= -2_147_483_647n) {
    return { A_Const: { ival: whole === 0n ? {} : { ival: Number(whole) } } };
  }
  return { A_Const: { fval: { fval: digits } } };
}

/** The text as people read it: `$1` says nothing. A value that is no literal keeps its mark. */
function withValues(parser: Parser, text: string, values: readonly (Node | undefined)[]): string {
  const bytes = Buffer.from(text, 'utf8');
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end } of parser.scan(text) ?? []) {
    const number = /^\$(\d+)$/.exec(bytes.toString('utf8', start, end))?.[1];
    const literal = number === undefined ? null : literalOf(values[Number(number) - 1]);
    if (literal === null) continue;
    pieces.push(bytes.toString('utf8', done, start), literal);
    done = end;
  }
  return [...pieces, bytes.toString('utf8', done)].join('');
}

function literalOf(value: Node | undefined): string | null {
  const constant = value?.A_Const;
  if (!isNode(constant)) return null;
  const { sval, ival, fval, boolval, isnull } = constant;
  if (isnull === true) return 'NULL';
  if (isNode(sval)) return `'${String(sval.sval).replaceAll("'", "''")}'`;
  if (isNode(boolval)) return String(boolval.boolval === true);
  if (isNode(ival)) return signed(String(ival.ival ?? 0));
  return isNode(fval) ? signed(String(fval.fval)) : null;
}

/** `- -3` and not `--3`, which begins a comment; `-1::int` is read as `-(1::int)`. */
function signed(digits: string): string {
  return digits.startsWith('-') ? `(${digits})` : digits;
}

function bind(node: Node, values: readonly (Node | undefined)[], withoutCast: boolean): Node {
  return Object.fromEntries(
    Object.entries(node).map(([field, value]) => [field, bound(value, values, withoutCast)]),
  );
}

function bound(value: unknown, values: readonly (Node | undefined)[], withoutCast: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => bound(one, values, withoutCast));
  if (!isNode(value)) return value;
  const one = unwrap(value);
  if (one?.type === 'ParamRef') return boundTo(one.node, values) ?? value;
  if (withoutCast && one?.type === 'TypeCast') {
    const inner = unwrap(one.node.arg);
    const literal = inner?.type === 'ParamRef' ? boundTo(inner.node, values) : undefined;
    if (literal !== undefined) return literal;
  }
  return bind(value, values, withoutCast);
}

function boundTo(reference: Node, values: readonly (Node | undefined)[]): Node | undefined {
  return typeof reference.number === 'number' ? values[reference.number - 1] : undefined;
}
