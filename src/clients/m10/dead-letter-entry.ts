import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { firstWords } from '../../excerpt.js';
import { jsonMembers } from '../json-text.js';
import { isMessageId, replayFields } from './stream-names.js';

export type Field = readonly [name: Buffer, value: Buffer];

/** An entry of the dead-letter stream. What cannot be read is null and named in `problems`; `fields` has it all. */
export interface DeadLetter {
  /** Its id in the dead-letter stream. */
  readonly id: string;
  /** The message's id in the main stream. */
  readonly originalId: string | null;
  /** A bigint, as text. */
  readonly candidateId: string | null;
  readonly failureMatchId: string | null;
  readonly reason: string | null;
  readonly reclaimCount: number | null;
  /** ms since the epoch, by the entry's id. */
  readonly deadLetteredAt: number;
  readonly fields: readonly Field[];
  /** Names and values together. */
  readonly bytes: number;
  readonly problems: readonly string[];
  /** The message of which this one was a replay, when the worker copied that into the dead letter. */
  readonly replayOf: { readonly original: string; readonly key: string | null } | null;
}

const Uuid = z.guid();
const maxBigint = 2n ** 63n - 1n;
/** Larger texts are not parsed just to look whether they are JSON. */
const parseUpTo = 1_000_000;

/** @param flat names and values in turn, as XRANGE answers */
export function readDeadLetter(id: string, flat: readonly Buffer[]): DeadLetter {
  const fields: Field[] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [name, value] = [flat[i], flat[i + 1]];
    if (name === undefined || value === undefined) continue;
    fields.push([name, value]);
    bytes += name.length + value.length;
  }
  const texts = new Map(fields.map(([name, value]) => [name.toString(), value]));
  const problems: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | null): T | null => {
    const value = texts.get(name);
    if (value === undefined) return null;
    const parsed = isUtf8(value) && !value.includes(0) ? parse(value.toString()) : null;
    if (parsed === null) problems.push(`${name} cannot be read`);
    return parsed;
  };
  if (!texts.has('original_msg_id')) problems.push('there is no original_msg_id');
  const originalId = read('original_msg_id', (text) => (isMessageId(text) ? text : null));
  const candidateId = read('candidate_id', (text) =>
    /^-?\d{1,19}$/.test(text) && abs(BigInt(text)) <= maxBigint ? text : null,
  );
  const failureMatchId = read('failure_match_id', (text) => Uuid.safeParse(text).data ?? null);
  const reason = read('reason', (text) => text);
  const reclaimCount = read('reclaim_count', (text) =>
    /^-?\d{1,10}$/.test(text) && Math.abs(Number(text)) < 2 ** 31 ? Number(text) : null,
  );
  for (const name of ['payload', 'data']) {
    read(name, (text) => (text.length > parseUpTo || isJson(text) ? true : null));
  }
  if (!asText(fields) && problems.length === 0) problems.push('it holds what is no text');
  const of = texts.get(replayFields.of)?.toString() ?? '';
  const key = texts.get(replayFields.key)?.toString() ?? '';
  return {
    id,
    originalId,
    candidateId,
    failureMatchId,
    reason,
    reclaimCount,
    deadLetteredAt: Number(id.split('-', 1)[0]),
    fields,
    bytes,
    problems,
    replayOf: isMessageId(of) ? { original: of, key: Uuid.safeParse(key).data ?? null } : null,
  };
}

/**
 * The fields as the archive's `payload` keeps them: an object of texts, as the backend's own workers write it.
 * jsonb knows neither bytes nor NUL nor the same name twice; such an entry is kept in base64, so that it can
 * be put back as it was.
 */
export function payloadOf(fields: readonly Field[]): Readonly<Record<string, unknown>> {
  const texts = asText(fields);
  if (texts) return Object.fromEntries(texts);
  return {
    encoding: 'base64',
    fields: fields.map(([name, value]) => [name.toString('base64'), value.toString('base64')]),
  };
}

const Encoded = z.strictObject({
  encoding: z.literal('base64'),
  fields: z.array(z.tuple([z.string(), z.string()])),
});

/**
 * The fields of an archived entry, whichever worker archived it.
 * @param payloadText the jsonb as PostgreSQL prints it
 */
export function fieldsOfPayload(payloadText: string): readonly Field[] {
  const payload: unknown = JSON.parse(payloadText);
  const encoded = Encoded.safeParse(payload);
  if (encoded.success) {
    return encoded.data.fields.map(([name, value]) => [
      Buffer.from(name, 'base64'),
      Buffer.from(value, 'base64'),
    ]);
  }
  // A number of another worker's goes back with the digits that it has in the table.
  return [...(jsonMembers(payloadText) ?? [])].map(([name, text]) => [
    Buffer.from(name),
    Buffer.from(text.startsWith('"') ? String(JSON.parse(text)) : text),
  ]);
}

/** What the worker that gave the message up added to it. */
const bookkeeping: ReadonlySet<string> = new Set([
  'original_msg_id',
  'reason',
  'reclaim_count',
  'dead_lettered_at',
  ...Object.values(replayFields),
]);

/** The message that was given up, out of its dead letter. */
export function messageOf(fields: readonly Field[]): readonly Field[] {
  return fields.filter(([name]) => !bookkeeping.has(name.toString()));
}

/** The first characters of a dead letter, for people. */
export function excerptOf(fields: readonly Field[], limit = 600): string {
  const text = fields
    .map(
      ([name, value]) =>
        `${clean(name.subarray(0, 100))}: ${clean(value.subarray(0, limit))}${value.length > limit ? '…' : ''}`,
    )
    .join('\n');
  return firstWords(text, limit);
}

function clean(bytes: Buffer): string {
  return bytes.toString().replace(/\p{Cc}+/gu, ' ');
}

function asText(fields: readonly Field[]): readonly (readonly [string, string])[] | null {
  const names = new Set<string>();
  const texts: [string, string][] = [];
  for (const [name, value] of fields) {
    if (!isUtf8(name) || !isUtf8(value) || name.includes(0) || value.includes(0)) return null;
    const text = name.toString();
    if (names.has(text) || text === '__proto__') return null;
    names.add(text);
    texts.push([text, value.toString()]);
  }
  return texts;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}
