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

/**
 * A value with its keys in the order in which jsonb gives them back: shorter ones first, then by their bytes.
 * What a writer goes on with is then what every later reader sees, down to the order of keys; code that leans
 * on the order of a file fails at once and not on another replica only.
 * Source: https://www.postgresql.org/docs/current/datatype-json.html, "jsonb does not preserve … key order"
 */
export function inStoredOrder(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (isArray(value)) return value.map(inStoredOrder);
  const keyed = Object.entries(value).map(([key, item]) => ({ key, bytes: Buffer.from(key), item }));
  keyed.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(keyed.map(({ key, item }) => [key, inStoredOrder(item)]));
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
