import canonicalize from 'canonicalize';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const REPLACEMENT = '\uFFFD';

/** PostgreSQL stores neither NUL nor lone surrogates: both become U+FFFD. */
export function wellFormed(text: string): string {
  return text.replaceAll('\0', REPLACEMENT).replace(/\p{Surrogate}/gu, REPLACEMENT);
}

/**
 * Reduces a value to the JSON that jsonb gives back unchanged: `undefined` is dropped, dates become text,
 * -0 becomes 0, NaN and the infinities become null, strings and keys are made well-formed.
 *
 * @throws TypeError on cycles and on bigint, as JSON.stringify does.
 */
export function toJson(value: unknown): Json {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return null;
  const parsed: Json = JSON.parse(text);
  // JSON.stringify writes exactly these as escapes, so most values need no second pass.
  return /\\u(?:0000|d[89a-f])/.test(text) ? repaired(parsed) : parsed;
}

function repaired(value: Json): Json {
  if (typeof value === 'string') return wellFormed(value);
  if (value === null || typeof value !== 'object') return value;
  if (isArray(value)) return value.map(repaired);
  // fromEntries defines own properties, so even a key named __proto__ stays data.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [wellFormed(key), repaired(item)]));
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** RFC 8785 text of a JSON value. */
export function canonical(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}
