import { assignedSpans } from './redactAssigned.js';
import { expressionFrom } from './redactLiterals.js';
import { next, type Span } from './redactPlaces.js';

interface Rule {
  /** What a secret stands behind. No repetition in it is unbounded. */
  readonly anchor: RegExp;
  /** Where the secret ends, given where the anchor ends; `from` when there is none. */
  readonly end: (text: string, from: number, anchor: RegExpMatchArray) => number;
  /** The anchor is part of the secret. */
  readonly whole?: boolean;
}

/**
 * What looks like a secret. The input is the output of programs, which may be megabytes of anything, so the
 * expressions find short anchors only and the ends are searched for forward: an open-ended expression would
 * go over the same text again and again, or run out of the engine's stack.
 */
const RULES: readonly Rule[] = [
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
    // What PostgreSQL keeps of a password, in dumps of roles
    anchor: /SCRAM-SHA-256\$(?=\d)/g,
    end: (text, from) => next(text, from, /[\s"'\\]/g),
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
  yield* assignedSpans(text);
  yield* hashedSpans(text);
  yield* userinfoSpans(text);
  yield* keyEndSpans(text);
}

/** What pgcrypto is given to hash or to encrypt with: `crypt('…', gen_salt('bf'))`. */
function* hashedSpans(text: string): Generator<Span> {
  const search = /\b(?:crypt|pgp_sym_(?:en|de)crypt(?:_bytea)?)\s{0,8}\(/gi;
  while (search.exec(text) !== null) {
    const { literals, end } = expressionFrom(text, search.lastIndex);
    yield* literals;
    // A call inside of this one has been read with it; one that begins near its end perhaps not.
    search.lastIndex = Math.max(search.lastIndex, end - 40);
  }
}

/** The end of a private key whose beginning is cut off: the lines of base64 before it. */
function* keyEndSpans(text: string): Generator<Span> {
  const search = /-----END [A-Z ]{0,40}PRIVATE KEY-----/g;
  let hidden = 0;
  for (let match = search.exec(text); match !== null; match = search.exec(text)) {
    let from = match.index;
    // The last line is as short as the key has it; a short one before it is a word.
    for (let shortest = 1; ; shortest = 16) {
      const before = lineBefore(text, from, hidden);
      if (before === null || from - before < shortest) break;
      from = before;
    }
    hidden = search.lastIndex;
    if (from < match.index) yield [from, hidden];
  }
}

/** A line of base64 that ends here, with what a frame or a quotation puts before and after it. */
const KEY_LINE =
  /(?:^|\n|\\n)[^\w\n\\]{0,8}(?<line>[A-Za-z0-9+/=]{1,80})(?:\\r|\r)?(?:\n|\\n)[^\w\n\\]{0,8}$/;

/** Where the line of a key before this place begins, not before `lowest`; null when there is none. */
function lineBefore(text: string, at: number, lowest: number): number | null {
  const start = Math.max(lowest, at - 120);
  const match = KEY_LINE.exec(text.slice(start, at));
  const line = match?.groups?.line;
  return match === null || line === undefined ? null : start + match.index + match[0].indexOf(line);
}

/**
 * The password in `scheme://user:password@host`, at any length. It ends at the last @ before a slash or a
 * blank, for passwords with an @ that nobody encoded. As the slash ends it, no two searches share text. Where
 * the text was cut before the @, all that is left of the password is hidden; digits may be a port.
 */
function* userinfoSpans(text: string): Generator<Span> {
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    const end = next(text, at + 3, /[\s/]/g);
    const authority = text.slice(at + 3, end);
    const from = authority.indexOf(':') + 1;
    if (from === 0) continue;
    const to = authority.lastIndexOf('@');
    if (to > from) yield [at + 3 + from, at + 3 + to];
    if (to !== -1 || authority.startsWith('[')) continue;
    const mark = /…|\.\.\./.exec(authority)?.index;
    const isCut =
      mark !== undefined || (end === text.length && /[^\d.,;:)\]}"'>]/.test(authority.slice(from)));
    if (isCut && (mark ?? authority.length) > from)
      yield [at + 3 + from, at + 3 + (mark ?? authority.length)];
  }
}

function atLeast(length: number, from: number, to: number): number {
  return to - from >= length ? to : from;
}
