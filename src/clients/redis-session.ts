import type { Redis } from 'ioredis';
import { openRedis } from './redis-connection.js';
import { describeRedisFailure, type RedisFailure } from './redis-failure.js';

export type RedisAnswer<T> = { readonly kind: 'ok'; readonly value: T } | RedisFailure;

/** Opens one connection for `work` and closes it. What Redis or the network refuses is a value. */
export async function withRedis<T>(
  url: string,
  connectionName: string,
  work: (redis: Redis) => Promise<T>,
): Promise<RedisAnswer<T>> {
  if (!/^rediss?:\/\/./.test(url) || !URL.canParse(url)) {
    return { kind: 'other', message: 'its URL does not read redis://…', advice: 'Correct `redis-url`.' };
  }
  let redis: Redis | undefined;
  try {
    redis = await openRedis(url, connectionName);
    return { kind: 'ok', value: await work(redis) };
  } catch (error) {
    const failure = describeRedisFailure(error);
    if (failure === null) throw error;
    return failure;
  } finally {
    redis?.disconnect();
  }
}
