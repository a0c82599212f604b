import type { Span } from './redactPlaces.js';

/**
 * Pieces of secrets, as parsers and drivers print them: cut at any place, wrapped over lines, or what stands between
 * two special characters of a password. A piece is hidden when it can hardly be there by chance; so ordinary words
 * that a password is made of stay readable, and so do names that the configuration itself shows.
 */

/**
 * How many characters are looked up at once, and how far apart: every common piece of six or more is found. At an
 * edge of a text, where something has been cut off, as many are enough.
 */
const GRAM = 4;
const STRIDE = 3;
const SHORTEST_PIECE = GRAM + STRIDE - 1;
/** A piece must carry this much of a secret, in bits of what its alphabet could spell. */
const FEWEST_BITS = 32;
/** Letters alone are words more often than secrets. */
const SHORTEST_WORD = 10;
/** Secrets that are shorter are looked for as a whole only, and cut at a mark of an omission. */
const SHORTEST_SECRET = 8;
const BUCKETS = 1 << 16;

/** In every message, whatever a password is made of. */
const everyday = [
  ...['postgresql', 'postgres', 'password', 'production', 'staging', 'localhost', 'database', 'migration'],
  ...[
    'alembic',
    'redis',
    'default',
    'development',
    'application',
    'connection',
    'authentication',
    'internal',
  ],
];

interface Place {
  readonly form: string;
  readonly at: number;
}

export interface Pieces {
  /** Where pieces of secrets stand, in no order; they may overlap. */
  spans(text: string): Span[];
}

/**
 * @param forms the secrets in all their spellings
 * @param words what may be shown: names of targets, users, databases, hosts
 * @param hosts hosts of configured URLs; what stands right before `@HOST` is hidden at any length
 */
export function createPieces(
  forms: Iterable<string>,
  words: Iterable<string>,
  hosts: Iterable<string>,
): Pieces {
  const all = [...new Set(forms)];
  const long = all.filter((form) => form.length >= SHORTEST_SECRET);
  const grams = gramsOf(long);
  const gramsOfShort = gramsOf(all.filter((form) => form.length < SHORTEST_SECRET));
  const maybe = new Uint8Array(BUCKETS);
  for (const gram of grams.keys()) maybe[bucketOf(gram, 0)] = 1;
  const shown = [...everyday, ...words].map((word) => word.toLowerCase()).filter((word) => word.length > 0);
  const known = new Map<string, boolean>();

  function mayShow(piece: string): boolean {
    let may = known.get(piece);
    if (may === undefined) {
      may = !isTelling(piece) || isWord(piece);
      if (known.size < 10_000) known.set(piece, may);
    }
    return may;
  }

  function isWord(piece: string): boolean {
    const core = coreOf(piece).toLowerCase();
    return core === '' || shown.some((word) => word.includes(core));
  }

  function within(text: string): Span[] {
    const found: Span[] = [];
    if (grams.size === 0) return found;
    let hidden = 0;
    for (let at = 0; at + GRAM <= text.length; at += STRIDE) {
      if (at + GRAM <= hidden || maybe[bucketOf(text, at)] !== 1) continue;
      for (const place of grams.get(text.slice(at, at + GRAM)) ?? []) {
        const [from, to] = extended(text, at, place);
        const isWhole = to - from === place.form.length;
        if (to - from < SHORTEST_PIECE || (!isWhole && mayShow(text.slice(from, to)))) continue;
        found.push([from, to]);
        hidden = Math.max(hidden, to);
      }
    }
    return found;
  }

  /** Where forms have these characters. A short form is looked for at marks only: words end texts as well. */
  function placesOf(gram: string, isMarked: boolean): readonly Place[] {
    const places = grams.get(gram) ?? [];
    return isMarked ? [...places, ...(gramsOfShort.get(gram) ?? [])] : places;
  }

  /** What a cut has left of a secret: its beginning before the cut, its end after it. */
  function atEdges(text: string): Span[] {
    const found: Span[] = [];
    const hide = (from: number, to: number) => {
      if (!isWord(text.slice(from, to))) found.push([from, to]);
    };
    for (const { before, after, isMarked } of cutsOf(text)) {
      for (const { form, at } of placesOf(text.slice(Math.max(0, before - GRAM), before), isMarked)) {
        const from = before - at - GRAM;
        if (from >= 0 && text.startsWith(form.slice(0, at), from)) hide(from, before);
      }
      for (const { form, at } of placesOf(text.slice(after, after + GRAM), isMarked)) {
        if (text.startsWith(form.slice(at), after)) hide(after, after + form.length - at);
      }
    }
    return found;
  }

  /** The end of a secret right before the host of its URL, as parsers print it that lost the rest. */
  function beforeHosts(text: string): Span[] {
    const found: Span[] = [];
    for (const host of new Set(hosts)) {
      const anchor = `@${host}`;
      for (let at = text.indexOf(anchor); at !== -1; at = text.indexOf(anchor, at + 1)) {
        const length = Math.max(0, ...all.map((form) => longestEnd(text, at, form)));
        if (length > 0) found.push([at - length, at]);
      }
    }
    return found;
  }

  return {
    spans: (text) => [
      ...within(text),
      ...atEdges(text),
      ...beforeHosts(text),
      ...wrapped(text, within),
      ...coloured(text, within),
    ],
  };
}

/** Where which characters stand in the forms. */
function gramsOf(forms: readonly string[]): Map<string, Place[]> {
  const grams = new Map<string, Place[]>();
  for (const form of forms) {
    for (let at = 0; at + GRAM <= form.length; at += 1) {
      const gram = form.slice(at, at + GRAM);
      const places = grams.get(gram);
      if (places === undefined) grams.set(gram, [{ form, at }]);
      else places.push({ form, at });
    }
  }
  return grams;
}

function bucketOf(text: string, at: number): number {
  let hash = 0;
  for (let i = at; i < at + GRAM; i += 1) hash = (hash * 31 + text.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}

/** The longest stretch around a gram in which the text and the form agree. */
function extended(text: string, at: number, place: Place): Span {
  const { form } = place;
  let from = at;
  for (let i = place.at; i > 0 && from > 0 && text[from - 1] === form[i - 1]; i -= 1) from -= 1;
  let to = at + GRAM;
  for (let i = place.at + GRAM; i < form.length && to < text.length && text[to] === form[i]; i += 1) to += 1;
  return [from, to];
}

/** Without what separates words. */
function coreOf(piece: string): string {
  return piece.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
}

/** Whether a piece can hardly be there by chance. */
function isTelling(piece: string): boolean {
  const core = coreOf(piece);
  // A word, with what separates it from the next.
  if (/^(?:\p{Lu}?\p{Ll}+|\p{Lu}+)$/u.test(core) && piece.length - core.length <= 2) {
    return core.length >= SHORTEST_WORD;
  }
  return piece.length * Math.log2(alphabetOf(piece)) >= FEWEST_BITS;
}

function alphabetOf(text: string): number {
  if (/^[0-9]*$/.test(text)) return 10;
  if (/^[0-9a-f]*$/.test(text) || /^[0-9A-F]*$/.test(text)) return 16;
  return (
    (/[0-9]/.test(text) ? 10 : 0) +
    (/[a-z]/.test(text) ? 26 : 0) +
    (/[A-Z]/.test(text) ? 26 : 0) +
    (/[^0-9a-zA-Z]/.test(text) ? 20 : 0)
  );
}

interface Cut {
  readonly before: number;
  readonly after: number;
  /** Something says that text is missing here; the ends of a text need not be cuts. */
  readonly isMarked: boolean;
}

const around = { before: new Set(' \t\r\n[(-'), after: new Set(' \t\r\n])') };
/** How much may stand between a mark and what it cuts off, as in `\n[… 5 bytes left out …]\n`. */
const MOST_AROUND = 4;

/** Both sides of each place where something is missing: the ends of the text, and marks of an omission. */
function* cutsOf(text: string): Generator<Cut> {
  yield { before: text.trimEnd().length, after: text.length - text.trimStart().length, isMarked: false };
  for (const { 0: mark, index } of text.matchAll(/…+|\.\.\.+/g)) {
    const end = index + mark.length;
    yield { before: index, after: end, isMarked: true };
    let before = index;
    while (index - before < MOST_AROUND && around.before.has(text[before - 1] ?? '')) before -= 1;
    let after = end;
    while (after - end < MOST_AROUND && around.after.has(text[after] ?? '')) after += 1;
    if (before < index || after > end) yield { before, after, isMarked: true };
  }
}

/** How much of the end of the form stands right before a place, down to one character. */
function longestEnd(text: string, before: number, form: string): number {
  let length = 0;
  while (length < form.length && text[before - length - 1] === form[form.length - length - 1]) length += 1;
  return length;
}

/** What a terminal or a frame puts around a break between two halves of a word, and what a quotation does. */
const frames = [new Set(' \t\r\n│'), new Set(' \t\r\n"\'+\\│|>')];

/** The breaks of lines, in order, each with what is around it. An expression would go over long blanks again. */
function breaksOf(text: string, around: ReadonlySet<string>): (readonly [from: number, to: number])[] {
  const breaks: (readonly [number, number])[] = [];
  for (let at = text.indexOf('\n'); at !== -1; ) {
    let from = at;
    while (from > (breaks.at(-1)?.[1] ?? 0) && around.has(text[from - 1] ?? '')) from -= 1;
    let to = at + 1;
    while (to < text.length && around.has(text[to] ?? '')) to += 1;
    breaks.push([from, to]);
    at = text.indexOf('\n', to);
  }
  return breaks;
}

/** Pieces that a break divides; the break itself stays, so that lines stay lines. */
function wrapped(text: string, within: (text: string) => Span[]): Span[] {
  if (!text.includes('\n')) return [];
  return frames.flatMap((around) => joinedSpans(text, breaksOf(text, around), within));
}

/**
 * Colours of a terminal, and characters that nobody sees: messages are shown without them, and then what they
 * divided is whole again. Blanks, tabs and line breaks are none of them.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are meant
  /\x1b\[[0-9;?]{0,40}[ -/]{0,4}[@-~]|[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]{1,1000}/g;

/** Pieces that such characters divide. */
function coloured(text: string, within: (text: string) => Span[]): Span[] {
  const unseen = [...text.matchAll(UNSEEN)].map(({ 0: run, index }) => [index, index + run.length] as const);
  return unseen.length === 0 ? [] : joinedSpans(text, unseen, within);
}

function joinedSpans(
  text: string,
  breaks: readonly (readonly [from: number, to: number])[],
  within: (text: string) => Span[],
): Span[] {
  let joined = '';
  let end = 0;
  /** Where each stretch begins, in the joined text and in the text. */
  const stretches: { readonly joined: number; readonly text: number; readonly length: number }[] = [];
  for (const [from, to] of [...breaks, [text.length, text.length] as const]) {
    stretches.push({ joined: joined.length, text: end, length: from - end });
    joined += text.slice(end, from);
    end = to;
  }
  const found: Span[] = [];
  let first = 0;
  for (const [from, to] of within(joined).sort((a, b) => a[0] - b[0])) {
    while (first > 0 && (stretches[first]?.joined ?? 0) > from) first -= 1;
    while ((stretches[first + 1]?.joined ?? Number.POSITIVE_INFINITY) <= from) first += 1;
    for (let i = first; (stretches[i]?.joined ?? to) < to; i += 1) {
      const stretch = stretches[i];
      if (stretch === undefined) break;
      const start = Math.max(from, stretch.joined) - stretch.joined;
      const stop = Math.min(to - stretch.joined, stretch.length);
      if (stop > start) found.push([stretch.text + start, stretch.text + stop]);
    }
  }
  return found;
}
