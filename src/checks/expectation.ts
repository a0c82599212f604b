import { isLosslessNumber } from 'lossless-json';
import { z } from 'zod';
import { compareNumbers } from './decimal.js';

/** A longer number was rounded while the runbook was read. */
export const Numeral = z
  .number()
  .refine(
    (n) => !Number.isInteger(n) || Number.isSafeInteger(n),
    'expected a number of at most 15 digits; a longer one needs quotes',
  );
const Scalar = z.union([z.string(), Numeral, z.boolean(), z.null()]);

/**
 * What a value must be. A bare value means "equals"; numbers and strings that spell the same number are equal,
 * because PostgreSQL's bigint arrives as text.
 */
export const Expectation = z.union(
  [
    Scalar,
    z.strictObject({ equals: Scalar }),
    z.strictObject({ 'one-of': z.array(Scalar).min(1) }),
    z.strictObject({ 'not-null': z.literal(true) }),
    z.strictObject({ absent: z.literal(true) }),
    z.strictObject({ 'at-least': Numeral }),
    z.strictObject({ 'at-most': Numeral }),
    z.strictObject({ matches: z.string().refine(isPattern, 'expected a regular expression') }),
    z.strictObject({ 'same-as': z.string().min(1) }),
  ],
  {
    error:
      'expected a plain value, or one of equals, one-of, not-null: true, absent: true, at-least, at-most, matches, same-as',
  },
);
export type Expectation = z.infer<typeof Expectation>;

export function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'm');
    return true;
  } catch {
    return false;
  }
}

/** Stands for a key that is not there, which null does not mean. */
export const missing: unique symbol = Symbol('missing');

/** Looks up a reference such as `first.replay_id`. */
export type Resolve = (reference: string) => unknown;

/** @returns null when the value is as expected, otherwise what was expected, in words. */
export function mismatch(expectation: Expectation, value: unknown, resolve?: Resolve): string | null {
  if (expectation === null || typeof expectation !== 'object') {
    return equal(expectation, value) ? null : show(expectation);
  }
  if ('equals' in expectation) {
    return equal(expectation.equals, value) ? null : show(expectation.equals);
  }
  if ('one-of' in expectation) {
    const choices = expectation['one-of'];
    return choices.some((c) => equal(c, value)) ? null : `one of ${choices.map(show).join(', ')}`;
  }
  if ('absent' in expectation) return value === missing ? null : 'absent';
  if (value === missing) return wanted(expectation);
  if ('not-null' in expectation) return value !== null ? null : 'a value';
  if ('at-least' in expectation) {
    return (compareNumbers(value, expectation['at-least']) ?? -1) >= 0 ? null : wanted(expectation);
  }
  if ('at-most' in expectation) {
    return (compareNumbers(value, expectation['at-most']) ?? 1) <= 0 ? null : wanted(expectation);
  }
  if ('matches' in expectation) {
    return new RegExp(expectation.matches, 'm').test(String(value)) ? null : wanted(expectation);
  }
  const other = resolve?.(expectation['same-as']) ?? missing;
  return other !== missing && equal(other, value)
    ? null
    : `the same as ${expectation['same-as']} (${show(other)})`;
}

/** An expectation in words, for a description. */
export function wanted(expectation: Expectation): string {
  if (expectation === null || typeof expectation !== 'object') return show(expectation);
  if ('equals' in expectation) return show(expectation.equals);
  if ('one-of' in expectation) return `one of ${expectation['one-of'].map(show).join(', ')}`;
  if ('absent' in expectation) return 'absent';
  if ('not-null' in expectation) return 'a value';
  if ('at-least' in expectation) return `at least ${expectation['at-least']}`;
  if ('at-most' in expectation) return `at most ${expectation['at-most']}`;
  if ('matches' in expectation) return 'text of the form that the runbook gives';
  return `the same as ${expectation['same-as']}`;
}

/** A value as it is shown in a message. */
export function show(value: unknown): string {
  if (value === missing) return 'nothing';
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'bigint' || isLosslessNumber(value)) return value.toString();
  return JSON.stringify(value) ?? String(value);
}

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  // Text against text is compared as text; where one side is a number, digit by digit.
  const numbers = [a, b].filter((v) => typeof v === 'number' || typeof v === 'bigint' || isLosslessNumber(v));
  return numbers.length > 0 && compareNumbers(a, b) === 0;
}

/** The value at a dotted path (`mv_top_pending.last_refresh`) of a decoded JSON document. */
export function valueAt(document: unknown, path: string): unknown {
  let current: unknown = document;
  for (const key of path === '' ? [] : path.split('.')) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, key)) return missing;
    current = Reflect.get(current, key);
  }
  return current;
}
