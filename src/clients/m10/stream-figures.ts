import type { Redis } from 'ioredis';
import { z } from 'zod';
import { openRedis } from '../redis-connection.js';
import type { RedisPlace } from '../redis-url.js';
import { streamNames } from './stream-names.js';

export interface StreamFigures {
  readonly length: number;
  /** Consumers that the group knows, whether they live or not. */
  readonly consumers: number;
  /** Messages that wait: delivered and not acknowledged, or not delivered. null: this Redis cannot tell. */
  readonly backlog: number | null;
  readonly deadLetters: number;
}

/**
 * Reads the figures of the streams over a connection of its own; a stream that is not there is empty.
 * @throws Error when Redis cannot be read
 */
export async function readStreamFigures(place: RedisPlace, timeoutMs: number): Promise<StreamFigures> {
  const redis = await openRedis(place, 'm10bot metrics', {
    connectTimeoutMs: timeoutMs,
    commandTimeoutMs: timeoutMs,
  });
  try {
    const length = await redis.xlen(streamNames.main);
    const deadLetters = await redis.xlen(streamNames.deadLetters);
    const group = await readGroup(redis);
    return { length, deadLetters, ...group };
  } finally {
    redis.disconnect();
  }
}

const Groups = z.array(z.array(z.union([z.string(), z.number(), z.null()])));

async function readGroup(redis: Redis): Promise<Pick<StreamFigures, 'consumers' | 'backlog'>> {
  let reply: unknown;
  try {
    reply = await redis.xinfo('GROUPS', streamNames.main);
  } catch (error) {
    if (error instanceof Error && /no such key/i.test(error.message)) return { consumers: 0, backlog: 0 };
    throw error;
  }
  for (const flat of Groups.parse(reply)) {
    const fields = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? null]] : [])));
    if (fields.get('name') !== streamNames.group) continue;
    const pending = Number(fields.get('pending') ?? 0);
    // Unknown before Redis 7, and where messages in the middle were deleted.
    const lag = fields.get('lag') ?? null;
    return {
      consumers: Number(fields.get('consumers') ?? 0),
      backlog: lag === null ? null : pending + Number(lag),
    };
  }
  return { consumers: 0, backlog: await redis.xlen(streamNames.main) };
}
