import { type Literal, literalAt, literalsFrom } from './redactLiterals.js';
import { matchAt, next, type Span } from './redactPlaces.js';

/**
 * What is given to a name such as `password`: by `=` or `:`, in SQL (`PASSWORD '…'`, options of foreign servers,
 * settings), on a command line. Only the value is a secret: who approves SQL must be able to read the rest.
 */
const KEY =
  /(?:password|passwd|passphrase|secret(?:[_-]?key)?|token|api[_-]?key|access[_-]?key|private[_-]?key|rediscli_auth)/gi;

/** The quote that closes the name, and how deep it is quoted. */
const CLOSING = /\\{0,7}["']{0,2}/y;
const ASSIGNMENT = /[)\]]?\s{0,8}:?={1,2}>?\s{0,8}/y;
const COLON = /[ \t]{0,8}:(?![:=])\s{0,8}/y;
const TO = /\s{1,8}to\s{1,8}/iy;
/** What SQL takes for a blank. */
const BLANK = /(?:\s|--[^\n]{0,200}\n|\/\*[^*]{0,200}\*\/){1,40}/y;
const COMMA = /\s{0,8},\s{0,8}/y;
const WORD_BLANK = /[ \t]{1,8}(?!-)/y;

/** A value that comes from elsewhere, or none at all. */
const REFERENCE = /^(?:\$\d+|%s|%\(\w+\)s|\?|null|none|true|false)[,;)]*$/i;
/** `%L` and `{}` are filled from what follows. */
const PLACEHOLDER = /(?:%(?:\d+\$)?[-\d]*[sLI]|%\(\w{1,60}\)s|\{\w{0,60}\})/y;

/**
 * Behind `password:` these are types and explanations. As a password each would be guessed before it is read.
 */
const NO_VALUE = new Set(
  (
    'null none nil true false yes no not str string text bytes int bool boolean any optional unset empty varchar ' +
    'permission authentication invalid incorrect is was must required missing expected field failed error cannot ' +
    'could unexpected too the a an wrong expired unknown never undefined authorization access unable'
  ).split(' '),
);

/** The places of values, in no order. Takes time linear in the length of the text. */
export function* assignedSpans(text: string): Generator<Span> {
  const search = new RegExp(KEY);
  for (let match = search.exec(text); match !== null; match = search.exec(text)) {
    const name = { from: match.index, to: search.lastIndex, text: match[0] };
    for (const span of valuesOf(text, name)) {
      if (span[1] <= span[0]) continue;
      yield span;
      // Text that is hidden already is not searched again.
      search.lastIndex = Math.max(search.lastIndex, span[1]);
    }
  }
}

interface Name {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function valuesOf(text: string, name: Name): readonly Span[] {
  const closing = matchAt(text, name.to, CLOSING)?.[0] ?? '';
  const after = name.to + closing.length;
  const quoted = closing !== '';
  const equals = matchAt(text, after, ASSIGNMENT);
  if (equals !== null) return assigned(text, after + equals[0].length, equals[0]);
  const colon = matchAt(text, after, COLON);
  if (colon !== null) return quoted ? literal(text, after + colon[0].length) : labelled(text, name, colon);
  if (quoted && closing !== '"') {
    const comma = matchAt(text, after, COMMA);
    const takes = comma !== null && (isSetting(text, name.from) || isFlag(text, name.from));
    return takes ? literal(text, after + comma[0].length) : [];
  }
  const to = matchAt(text, after, TO);
  if (to !== null) return literal(text, after + to[0].length);
  const comma = quoted ? matchAt(text, after, COMMA) : null;
  if (comma !== null) return isFlag(text, name.from) ? literal(text, after + comma[0].length) : [];
  const blank = matchAt(text, after, BLANK);
  if (blank === null) return [];
  const flag = quoted || !isFlag(text, name.from) ? null : matchAt(text, after, WORD_BLANK);
  if (flag !== null) return assigned(text, after + flag[0].length, '');
  return isNameOfToken(text, name) ? [] : sqlLiteral(text, name, after + blank[0].length);
}

const inAnyLanguage = { escapes: true, nested: true };

/** A literal in any language, and what it is filled or joined with. */
function literal(text: string, at: number): readonly Span[] {
  const found = literalAt(text, at, inAnyLanguage);
  return found === null ? [] : withOperands(text, found);
}

/** Behind `=`: a literal, a call around one, or text up to the next blank. */
function assigned(text: string, at: number, sign: string): readonly Span[] {
  const found = literalAt(text, at, inAnyLanguage);
  if (found !== null) return withOperands(text, found);
  const row = text[at] === '(' && sign.startsWith(')');
  const to = row ? next(text, at, /[)\n]/g) : plainEnd(text, at);
  const value = text.slice(at, to);
  const call = /^[a-z_][\w.]{0,60}\(/i.exec(value);
  if (call !== null && (/\s/.test(sign) || /["']/.test(text.charAt(at + call[0].length)))) {
    return literalsFrom(text, at + call[0].length);
  }
  return REFERENCE.test(value) || isColumn(value) ? [] : [[row ? at + 1 : at, to]];
}

/** `excluded.password`, `t.token` */
function isColumn(value: string): boolean {
  const column = /^[a-z_]\w{0,62}\.([a-z_]\w{0,62})[,;)]*$/i.exec(value)?.[1];
  return column !== undefined && new RegExp(`${KEY.source}$`, 'i').test(column);
}

/**
 * Where a value without quotes ends: a blank, an ampersand or a quote, whose backslashes belong to it. A backslash
 * before a blank keeps it in the value, as in a DSN.
 */
function plainEnd(text: string, from: number): number {
  const stop = /[\s&"']/g;
  for (let at = next(text, from, stop); ; at = next(text, at + 1, stop)) {
    let start = at;
    while (start > from && text[start - 1] === '\\') start -= 1;
    if (text[at] === '"' || text[at] === "'") return start;
    if ((text[at] === ' ' || text[at] === '\t') && (at - start) % 2 === 1) continue;
    return at;
  }
}

/** Behind `password:` in YAML and logs. A sentence about passwords has a colon as well. */
function labelled(text: string, name: Name, colon: RegExpExecArray): readonly Span[] {
  const from = name.to + colon[0].length;
  const found = literalAt(text, from, inAnyLanguage);
  if (found !== null) return withOperands(text, found);
  if (colon[0].includes('\n') || text[name.from - 1] === '/' || isNameOfToken(text, name)) return [];
  const first = plainEnd(text, from);
  const value = withoutClosing(text.slice(from, first));
  if (!/[\p{L}\p{N}]/u.test(value) && value.length < 4) return [];
  if (NO_VALUE.has(value.toLowerCase().replace(/[^a-z].*$/s, '')) || REFERENCE.test(value)) return [];
  // A scalar of YAML goes to the end of its line, or to a comment.
  const line = startsLine(text, name.from) ? next(text, from, /\n| #/g) : 0;
  return [[from, Math.max(from + value.length, line)]];
}

/** Without the comma or the bracket that ends an entry of a list. */
function withoutClosing(value: string): string {
  const opened = /[([{]/.test(value);
  return value.replace(opened ? /[,;]$/ : /[,;)\]}]$/, '');
}

/** SQL's `PASSWORD '…'`: only a literal right behind the name is one, so that a column stays a column. */
function sqlLiteral(text: string, name: Name, at: number): readonly Span[] {
  const format = matchAt(text, at, PLACEHOLDER);
  // The quote that ends the text with the placeholder is not the beginning of a literal.
  if (format !== null) return literalsFrom(text, at + next(text.slice(at, at + 200), 0, /['"\n]/g) + 1);
  if (text[at] === '"' || literalAt(text, at, { escapes: false, nested: false }) === null) return [];
  const statement = statementBefore(text, name.from);
  const nested = quotesIn(statement) % 2 === 1 || quotesIn(lastLine(statement)) % 2 === 1;
  const found = literalAt(text, at, { escapes: false, nested });
  if (found === null) return [];
  const content = text.slice(found.content[0], found.content[0] + 10);
  // A single quote inside of a literal ends that one.
  if (nested && /^\s*(?:\|\||[,);]|$)/.test(content)) {
    return /^\s*\|\|/.test(content) && SETS_ROLE.test(statement) ? literalsFrom(text, found.content[0]) : [];
  }
  return withOperands(text, found);
}

/** A literal that is joined to others, or filled from them, is not the whole secret. */
function withOperands(text: string, { content, end }: Literal): readonly Span[] {
  const value = text.slice(content[0], Math.min(content[1], content[0] + 80));
  const joins = /^\s*(?:\|\||\+ )/.test(value);
  if (joins) return [content, ...literalsFrom(text, content[0])];
  const filled = matchAt(value, 0, PLACEHOLDER)?.[0] === value && value !== '';
  return filled ? literalsFrom(text, end) : [content];
}

const SETS_ROLE = /\b(?:alter|create)\s[^;]{0,200}\b(?:role|user|group)\b/i;

/** The statement so far, without its comments, as far as it tells whether a literal is open. */
function statementBefore(text: string, at: number): string {
  const before = text.slice(Math.max(0, at - 2_000), at).replace(/--[^\n]*|\/\*[^*]*\*\//g, '');
  return before.slice(before.lastIndexOf(';') + 1);
}

const lastLine = (text: string) => text.slice(text.lastIndexOf('\n') + 1);
const quotesIn = (text: string) => text.split("'").length - 1;

/** `set_config('app.token', …` */
function isSetting(text: string, at: number): boolean {
  return /set_config\s{0,8}\(\s{0,8}(?:e|u&)?\\{0,7}'{1,4}[\w.]{0,63}$/i.test(
    text.slice(Math.max(0, at - 120), at),
  );
}

/** `--password`, which takes what follows; `--no-password` takes nothing. */
function isFlag(text: string, at: number): boolean {
  const flag = /(?<![^\s"'])--?([a-z][\w-]{0,40})?$/i.exec(text.slice(Math.max(0, at - 48), at));
  return flag !== null && !/^no-/i.test(flag[1] ?? '');
}

/** Parsers say `token 'x'` and `unexpected token: x` of what they read; secrets are called `access_token`. */
function isNameOfToken(text: string, { from, text: name }: Name): boolean {
  if (!/^token$/i.test(name)) return false;
  const before = text.slice(Math.max(0, from - 8), from);
  return !/(?:[\w-]|[{[(,;&?|]\s*)$/.test(before) && !startsLine(text, from);
}

/** Whether a key stands where a line of YAML has it. */
function startsLine(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 120), at);
  return /(?:^|\n)[ \t]*(?:- )?[\w.-]*$/.test(before) && (at < 120 || before.includes('\n'));
}
