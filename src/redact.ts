import { formsOf } from './redactForms.js';
import { patternSpans } from './redactPatterns.js';
import { createPieces } from './redactPieces.js';
import type { Span } from './redactPlaces.js';

/** What stands in the place of a secret. */
export const MASK = '[redacted]';

export interface Redactor {
  /** The text without secrets; takes time linear in its length. */
  redact(text: string): string;
  /** JSON with every string in it redacted, keys too; text under a key such as `password` goes whole. */
  redactDeep(value: unknown): unknown;
}

/**
 * Shorter values are not looked for literally: "a" or "db" as a password would blank out half of every
 * message and give itself away by what is missing. In their usual places (the userinfo of a URL,
 * `password=…`) the patterns hide them at any length.
 */
const SHORTEST = 4;

/** Keys whose text is a secret whatever it looks like. */
const SECRET_KEY =
  /(?:password|passwd|passphrase|secret|token|authorization|api_?key|private_?key|access_?key)$/i;

/** What may be shown although a secret contains it. */
export interface Shown {
  /** Names of targets, users, databases. */
  readonly words: readonly string[];
  /** Hosts of configured URLs: what stands right before one as `…@HOST` is the end of a password. */
  readonly hosts: readonly string[];
}

/**
 * Removes known secrets, in the forms in which programs repeat them, pieces of them, and whatever looks like one.
 *
 * @param secrets passwords, tokens, keys, and connection URLs, of which the userinfo is secret and not the host.
 */
export function createRedactor(
  secrets: Iterable<string>,
  { words, hosts }: Shown = { words: [], hosts: [] },
): Redactor {
  const forms = new Set<string>();
  // Its escapes are long, but no rarer than the few characters that they stand for.
  for (const secret of secrets)
    for (const part of partsOf(secret)) for (const form of formsOf(part, SHORTEST)) forms.add(form);
  const literals = [...forms]
    .filter((form) => form.length >= SHORTEST && !MASK.includes(form))
    .sort((a, b) => b.length - a.length);
  const pieces = createPieces(
    [...forms].filter((form) => !MASK.includes(form)),
    [...words, ...hosts],
    hosts,
  );

  function redact(text: string): string {
    // All finds are made in the original text and then joined, so that a secret that overlaps another, or
    // stands inside of one, leaves no remainder.
    const spans: Span[] = [...patternSpans(text), ...pieces.spans(text)];
    for (const literal of literals) for (const span of literalSpans(text, literal)) spans.push(span);
    return masked(text, spans);
  }

  function redactDeep(value: unknown): unknown {
    if (typeof value === 'string') return redact(value);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(redactDeep);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        redact(key),
        typeof item === 'string' && item !== '' && SECRET_KEY.test(key) ? MASK : redactDeep(item),
      ]),
    );
  }

  return { redact, redactDeep };
}

/** Where a literal stands; places that overlap ("aaaa" in "aaaaaa") come as one. */
function* literalSpans(text: string, literal: string): Generator<Span> {
  let from = -1;
  let to = -1;
  for (let at = text.indexOf(literal); at !== -1; at = text.indexOf(literal, at + 1)) {
    if (at > to) {
      if (from !== -1) yield [from, to];
      from = at;
    }
    to = at + literal.length;
  }
  if (from !== -1) yield [from, to];
}

function masked(text: string, spans: Span[]): string {
  spans.sort((a, b) => a[0] - b[0]);
  let result = '';
  let end = 0;
  for (const [from, to] of spans) {
    if (to <= end) continue;
    // A find that begins where the last one ended, or inside of it, shares its mask.
    if (from > end || end === 0) result += text.slice(end, from) + MASK;
    end = to;
  }
  return result + text.slice(end);
}

/** The secret parts of a configured value: of a URL with userinfo the userinfo, otherwise the value itself. */
function partsOf(secret: string): string[] {
  const url = /^[a-z][a-z0-9+.-]*:\/\/([^\s/]*)@/i.exec(secret);
  if (url?.[1] === undefined) {
    // A key of several lines is seldom printed in one piece.
    const lines = secret.split(/\r?\n/).filter((line) => line.length >= 8);
    return lines.length > 1 ? [secret, ...lines] : [secret];
  }
  const userinfo = url[1];
  const colon = userinfo.indexOf(':');
  const queried = [...secret.matchAll(/[?&](?:ssl)?password=([^&#]*)/gi)].map((match) => match[1] ?? '');
  return [...(colon === -1 ? [] : [userinfo.slice(colon + 1)]), ...queried];
}
