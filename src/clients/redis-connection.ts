import { Redis } from 'ioredis';
import { RedisConnectionError } from './redis-failure.js';
import { type RedisAddress, type RedisPlace, redisAddress } from './redis-url.js';

/** How long a connection and each command on it may take, ms. */
export interface RedisPatience {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

/** The commands' limit is far beyond any of the jobs; it is for a network that swallows answers. */
const patient: RedisPatience = { connectTimeoutMs: 5_000, commandTimeoutMs: 30_000 };

/**
 * Opens one connection that fails at once when it breaks: whoever uses it starts over from what is stored, and
 * a silent repetition of a command could do something twice.
 * @throws the first cause when the server cannot be reached or refuses the password
 */
export async function openRedis(
  place: RedisPlace,
  connectionName: string,
  { connectTimeoutMs, commandTimeoutMs }: RedisPatience = patient,
): Promise<Redis> {
  let cause: Error | undefined;
  const redis = new Redis({
    ...addressOf(place),
    lazyConnect: true,
    connectionName: connectionName.replaceAll(/\s+/g, '-'),
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // How long a polite goodbye may take: a server that is silent would hold it for two seconds.
    disconnectTimeout: 200,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // It asks INFO, and where a role may not, the library writes to stderr by itself.
    enableReadyCheck: false,
  });
  // connect() rejects with "Connection is closed", or never where the answer is not Redis' own; the cause comes as
  // an event before that.
  const broken = new Promise<never>((_resolve, reject) => {
    redis.on('error', (error) => {
      cause ??= error;
    });
    redis.once('close', () => reject(cause ?? new Error('Connection is closed.')));
  });
  broken.catch(() => undefined);
  try {
    await Promise.race([redis.connect(), broken]);
    // A server that wants a password lets everyone connect.
    await Promise.race([redis.ping(), broken]);
    return redis;
  } catch (error) {
    redis.disconnect();
    const why = cause ?? error;
    throw why instanceof Error && why.name !== 'ReplyError' ? new RedisConnectionError(why) : why;
  }
}

function addressOf(place: RedisPlace): RedisAddress {
  try {
    return redisAddress(place);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RedisConnectionError(new Error(`redis-ca cannot be read: ${why}`));
  }
}
