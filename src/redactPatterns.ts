/** From the first character to after the last. */
export type Span = readonly [from: number, to: number];

interface Rule {
  /** What a secret stands behind. No repetition in it is unbounded. */
  readonly anchor: RegExp;
  /** Where the secret ends, given where the anchor ends; `from` when there is none. */
  readonly end: (text: string, from: number, anchor: RegExpMatchArray) => number;
  /** The anchor is part of the secret. */
  readonly whole?: boolean;
}

const KEY = '(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|rediscli_auth)';

/**
 * What looks like a secret. The input is the output of programs, which may be megabytes of anything, so the
 * expressions find short anchors only and the ends are searched for forward: an open-ended expression would
 * go over the same text again and again, or run out of the engine's stack.
 */
const RULES: readonly Rule[] = [
  {
    // PGPASSWORD=…, password='…' in DSNs, ?password=…&, aws_secret_access_key = …, --token=…
    anchor: new RegExp(`${KEY}\\s{0,8}=\\s{0,8}(?:(?<slashes>\\\\{0,7})(?<quote>["']))?`, 'gi'),
    end: (text, from, { groups }) =>
      groups?.quote === undefined
        ? beforeSlashes(text, from, next(text, from, /[\s&"']/g))
        : closingQuote(text, from, groups.quote, groups.slashes?.length ?? 0),
  },
  {
    // "password": "…" in JSON, and in JSON inside of JSON
    anchor: new RegExp(`${KEY}\\\\{0,7}"\\s{0,8}:\\s{0,8}(?<slashes>\\\\{0,7})"`, 'gi'),
    end: (text, from, { groups }) => closingQuote(text, from, '"', groups?.slashes?.length ?? 0),
  },
  {
    anchor:
      /authorization\\{0,7}["']?\s{0,8}[:=]\s{0,8}\\{0,7}["']?(?:(?:bearer|basic|digest|token)\s{1,8})?/gi,
    end: (text, from) => next(text, from, /[\s"',\\]/g),
  },
  { anchor: /\bbearer\s{1,8}/gi, end: (text, from) => atLeast(16, from, next(text, from, /[^\w.~+/=-]/g)) },
  {
    // Slack's tokens
    anchor: /(?:xox[a-z](?:\.xox[a-z])?|xapp)-/gi,
    end: (text, from) => next(text, from, /[^\w-]/g),
    whole: true,
  },
  {
    // Slack's URLs that anyone may post to
    anchor: /hooks\.slack\.com\//gi,
    end: (text, from) => next(text, from, /[\s"'<>|\\]/g),
  },
  {
    // AWS key ids
    anchor: /(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)(?=[A-Z0-9]{16})/g,
    end: (_, from) => from + 16,
    whole: true,
  },
  {
    anchor: /gh[pousr]_|github_pat_/g,
    end: (text, from) => atLeast(20, from, next(text, from, /\W/g)),
    whole: true,
  },
  {
    // JSON web tokens: at least a header and a body
    anchor: /(?<![\w-])eyJ/g,
    end(text, from) {
      const header = next(text, from, /[^\w-]/g);
      return text[header] === '.' ? atLeast(17, from, next(text, header, /[^\w.-]/g)) : from;
    },
    whole: true,
  },
  {
    // A private key; one whose end is cut off reaches to the end of the text.
    anchor: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY/g,
    end(text, from) {
      const end = text.indexOf('-----END', from);
      const last = end === -1 ? -1 : text.indexOf('KEY-----', end);
      return last === -1 ? text.length : last + 'KEY-----'.length;
    },
    whole: true,
  },
];

/** The places of everything that looks like a secret, in no order; they may overlap. */
export function* patternSpans(text: string): Generator<Span> {
  for (const { anchor, end, whole } of RULES) {
    // A copy, since the position of a search is kept in the expression.
    const search = new RegExp(anchor);
    for (let match = search.exec(text); match !== null; match = search.exec(text)) {
      const from = search.lastIndex;
      const to = end(text, from, match);
      if (to <= from) continue;
      yield [whole ? match.index : from, to];
      // Text that is hidden already is not searched again.
      search.lastIndex = to;
    }
  }
  yield* userinfoSpans(text);
}

/**
 * The password in `scheme://user:password@host`, at any length. It ends at the last @ before a slash or a
 * blank, for passwords with an @ that nobody encoded. As the slash ends it, no two searches share text.
 */
function* userinfoSpans(text: string): Generator<Span> {
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    const authority = text.slice(at + 3, next(text, at + 3, /[\s/]/g));
    const from = authority.indexOf(':') + 1;
    const to = authority.lastIndexOf('@');
    if (from > 0 && to > from) yield [at + 3 + from, at + 3 + to];
  }
}

/** Where one of the stop characters comes next; the end of the text when none does. */
function next(text: string, from: number, stop: RegExp): number {
  stop.lastIndex = from;
  return stop.exec(text)?.index ?? text.length;
}

function atLeast(length: number, from: number, to: number): number {
  return to - from >= length ? to : from;
}

/** An unquoted value that a quote ends: the backslashes before it belong to the quote. */
function beforeSlashes(text: string, from: number, to: number): number {
  let end = to;
  if (text[to] === '"' || text[to] === "'") while (end > from && text[end - 1] === '\\') end -= 1;
  return end;
}

/**
 * Where a quoted value ends: at the quote that closes it, or with its line. `depth` is the number of
 * backslashes before the opening quote: 0 in plain text, 1 in JSON inside of JSON, 3 one level deeper. A quote
 * that belongs to the value has more, so the remainder tells them apart.
 */
function closingQuote(text: string, from: number, quote: string, depth: number): number {
  const stop = quote === '"' ? /["\n]/g : /['\n]/g;
  for (let at = next(text, from, stop); ; at = next(text, at + 1, stop)) {
    let start = at;
    while (start > from && text[start - 1] === '\\') start -= 1;
    if (text[at] !== quote) return at;
    if ((at - start) % (2 * (depth + 1)) === depth) return at - depth;
  }
}
