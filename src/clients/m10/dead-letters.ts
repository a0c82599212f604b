import type { Redis } from 'ioredis';
import { z } from 'zod';
import { type DeadLetter, readDeadLetter } from './dead-letter-entry.js';
import { streamNames } from './stream-names.js';

/** Entries in the dead-letter stream. */
export function deadLetterLength(redis: Redis): Promise<number> {
  return redis.xlen(streamNames.deadLetters);
}

/** The group of the main stream: how many messages it has handed out and not been told to be done. */
export type GroupState =
  | { readonly kind: 'there'; readonly pending: number }
  /** The stream, or the group on it, does not exist: nobody reads. */
  | { readonly kind: 'missing' };

const Summary = z.tuple([z.coerce.number<number | string>()], z.unknown());

export async function groupState(redis: Redis): Promise<GroupState> {
  try {
    const answer = await redis.xpending(streamNames.main, streamNames.group);
    return { kind: 'there', pending: Summary.parse(answer)[0] };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOGROUP')) return { kind: 'missing' };
    throw error;
  }
}

/** Entries after an id, oldest first. @param after null: from the beginning */
export async function readDeadLetters(
  redis: Redis,
  after: string | null,
  count: number,
): Promise<readonly DeadLetter[]> {
  const from = after === null ? '-' : `(${after}`;
  const found = await redis.xrangeBuffer(streamNames.deadLetters, from, '+', 'COUNT', count);
  return found.map(([id, fields]) => readDeadLetter(id.toString(), fields));
}

/** @param id its id in the dead-letter stream */
export async function deadLetterById(redis: Redis, id: string): Promise<DeadLetter | null> {
  const [found] = await redis.xrangeBuffer(streamNames.deadLetters, id, id, 'COUNT', 1);
  return found === undefined ? null : readDeadLetter(found[0].toString(), found[1]);
}

/** Looks through the stream for the dead letter of a message of the main stream. */
export async function deadLetterOf(redis: Redis, original: string): Promise<DeadLetter | null> {
  const page = 500;
  for (let after: string | null = null; ; ) {
    const entries: readonly DeadLetter[] = await readDeadLetters(redis, after, page);
    const found = entries.find((entry) => entry.originalId === original);
    if (found !== undefined) return found;
    after = entries.at(-1)?.id ?? null;
    if (entries.length < page || after === null) return null;
  }
}

/** Those of the messages that the group still waits for. One round trip. */
export async function pendingAmong(redis: Redis, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.xpending(streamNames.main, streamNames.group, id, id, 1);
  const pending = new Set<string>();
  for (const [at, [error, answer]] of ((await pipeline.exec()) ?? []).entries()) {
    if (error) throw error;
    const id = ids[at];
    if (id !== undefined && Array.isArray(answer) && answer.length > 0) pending.add(id);
  }
  return pending;
}

/** Tells the group that messages are done. @returns how many it was still waiting for */
export async function acknowledge(redis: Redis, ids: readonly string[]): Promise<number> {
  return ids.length === 0 ? 0 : redis.xack(streamNames.main, streamNames.group, ...ids);
}

/** Which of the ids stand in the set of replayed messages. */
export async function processedAmong(redis: Redis, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const answers = await redis.smismember(streamNames.replayProcessed, ...ids);
  return new Set(ids.filter((_, at) => answers[at] === 1));
}

/** Removes every entry below each of the ids, in turn, in one round trip. @returns how many were removed */
export async function trimBelow(redis: Redis, ids: readonly string[]): Promise<number> {
  const removed = await Promise.all(ids.map((id) => redis.xtrim(streamNames.deadLetters, 'MINID', '=', id)));
  return removed.reduce((sum, count) => sum + count, 0);
}
