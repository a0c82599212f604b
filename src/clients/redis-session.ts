import type { Redis } from 'ioredis';
import { openRedis } from './redis-connection.js';
import { describeRedisFailure, type RedisFailure } from './redis-failure.js';
import { type RedisPlace, redisUrlProblem } from './redis-url.js';

export type RedisAnswer<T> = { readonly kind: 'ok'; readonly value: T } | RedisFailure;

/** Opens one connection for `work` and closes it. What Redis or the network refuses is a value. */
export async function withRedis<T>(
  place: RedisPlace,
  connectionName: string,
  work: (redis: Redis) => Promise<T>,
): Promise<RedisAnswer<T>> {
  const problem = redisUrlProblem(place.redisUrl);
  if (problem !== null) return { kind: 'other', message: problem, advice: 'Correct `redis-url`.' };
  let redis: Redis | undefined;
  try {
    redis = await openRedis(place, connectionName);
    return { kind: 'ok', value: await work(redis) };
  } catch (error) {
    const failure = describeRedisFailure(error);
    if (failure === null) throw error;
    return failure;
  } finally {
    redis?.disconnect();
  }
}
