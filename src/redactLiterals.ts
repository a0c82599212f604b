import { matchAt, next, type Span } from './redactPlaces.js';

/**
 * Literals as languages write them that appear in output: SQL with its doubled quotes, `E'…'` and `$tag$…$tag$`,
 * JSON, Python and DSNs with their backslashes, and each of them inside of another.
 */
export interface Literal {
  /** What is between the quotes; it may be empty. */
  readonly content: Span;
  /** After the closing quote. */
  readonly end: number;
}

/** A body in dollars is looked for this far, in characters. */
const LONGEST_BODY = 10_000;
/** An expression around literals is followed this far, in characters. */
const LONGEST_EXPRESSION = 2_000;

const OPENING =
  /(?:(?<prefix>[befnrux]|u&)?(?<slashes>\\{0,7})(?<quotes>'{1,8}|")|(?<dollars>\$(?:[A-Za-z_]\w{0,62})?\$))/iy;

/**
 * The literal that begins here; null when none does.
 * @param how.escapes a backslash before a quote makes it part of the literal, as everywhere but in standard SQL
 * @param how.nested two quotes may open a literal inside of a literal; otherwise they are an empty one
 */
export function literalAt(
  text: string,
  at: number,
  how: { readonly escapes: boolean; readonly nested: boolean },
): Literal | null {
  const groups = matchAt(text, at, OPENING)?.groups;
  if (groups === undefined) return null;
  const { prefix = '', slashes = '', quotes, dollars } = groups;
  if (dollars !== undefined) return bodyIn(text, at + dollars.length, dollars);
  if (quotes === undefined) return null;
  const opening = at + prefix.length + slashes.length;
  const depth = how.nested ? depthOf(text, quotes, opening + quotes.length) : 1;
  if (depth === 0) return { content: [opening + 1, opening + 1], end: opening + quotes.length };
  return closedAt(text, opening + depth, {
    quote: quotes.charAt(0),
    depth,
    slashes: slashes.length,
    escapes: how.escapes || slashes !== '' || /e/i.test(prefix),
  });
}

function bodyIn(text: string, from: number, dollars: string): Literal | null {
  const length = text.slice(from, from + LONGEST_BODY).indexOf(dollars);
  return length === -1 ? null : { content: [from, from + length], end: from + length + dollars.length };
}

/**
 * How many quotes open the literal: one, or two in a literal inside of a literal, four one level deeper; 0 for an
 * empty literal. An odd number is one quote and quotes that belong to the value.
 */
function depthOf(text: string, quotes: string, after: number): number {
  if (quotes.length % 2 === 1) return 1;
  if (quotes.length === 2 && /^[\s;,)\]}]?$/.test(text.charAt(after))) return 0;
  return quotes.length % 4 === 2 ? 2 : 4;
}

/**
 * Where a literal ends: at the quotes that close it, or with its line. A quote that belongs to the value is
 * doubled, or has more backslashes than the opening one: so the remainders tell them apart.
 */
function closedAt(
  text: string,
  from: number,
  how: {
    readonly quote: string;
    readonly depth: number;
    readonly slashes: number;
    readonly escapes: boolean;
  },
): Literal {
  const { quote, depth, slashes } = how;
  const stop = quote === '"' ? /["\n]/g : /['\n]/g;
  for (let at = next(text, from, stop); ; ) {
    if (text[at] !== quote) return { content: [from, at], end: at };
    let start = at;
    while (start > from && text[start - 1] === '\\') start -= 1;
    if (how.escapes && (at - start) % (2 * (slashes + 1)) !== slashes) {
      at = next(text, at + 1, stop);
      continue;
    }
    if (quote === '"') return { content: [from, at - slashes], end: at + 1 };
    if (slashes > 0) {
      const doubled = text.startsWith(text.slice(at - slashes, at + 1), at + 1);
      if (!doubled) return { content: [from, at - slashes], end: at + 1 };
      at = next(text, at + 2 + slashes, stop);
      continue;
    }
    let after = at;
    while (text[after] === quote) after += 1;
    const rest = (after - at) % (2 * depth);
    if (rest >= depth) return { content: [from, after - rest], end: after - rest + depth };
    at = next(text, after, stop);
  }
}

/** The contents of the literals in an expression, from here to the end of its call or statement. */
export function literalsFrom(text: string, from: number): Span[] {
  return expressionFrom(text, from).literals;
}

/** The same, and where the expression ends. */
export function expressionFrom(text: string, from: number): { literals: Span[]; end: number } {
  const part = text.slice(from, from + LONGEST_EXPRESSION);
  const found: Span[] = [];
  let open = 0;
  let at = next(part, 0, /['"$();]/g);
  while (at < part.length) {
    const sign = part[at];
    if (sign === ';' || (sign === ')' && open === 0)) break;
    if (sign === '(') open += 1;
    if (sign === ')') open -= 1;
    const literal =
      sign === '(' || sign === ')' ? null : literalAt(part, at, { escapes: false, nested: true });
    if (literal !== null) found.push([from + literal.content[0], from + literal.content[1]]);
    at = next(part, Math.max(at + 1, literal?.end ?? 0), /['"$();]/g);
  }
  return { literals: found, end: from + Math.min(at, part.length) };
}
