import { Redis } from 'ioredis';

const connectTimeoutMs = 5_000;
/** Far beyond any command of the jobs; for a network that swallows answers. */
const commandTimeoutMs = 30_000;

/**
 * Opens one connection that fails at once when it breaks: whoever uses it starts over from what is stored, and
 * a silent repetition of a command could do something twice.
 * @throws the first cause when the server cannot be reached or refuses the password
 */
export async function openRedis(url: string, connectionName: string): Promise<Redis> {
  let cause: Error | undefined;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectionName: connectionName.replaceAll(/\s+/g, '-'),
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    disconnectTimeout: 200,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  });
  redis.on('error', (error) => {
    cause ??= error;
  });
  try {
    await redis.connect();
    // A server that wants a password lets everyone connect.
    await redis.ping();
    return redis;
  } catch (error) {
    redis.disconnect();
    throw cause ?? error;
  }
}
