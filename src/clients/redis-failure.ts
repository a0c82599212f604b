/** Why Redis did not do what it was asked. */
export interface RedisFailure {
  readonly kind: 'gone' | 'authentication' | 'permission' | 'wrong-type' | 'no-group' | 'refuses' | 'other';
  readonly message: string;
  /** What can be done now. */
  readonly advice: string;
}

/** Answers of a server, by their first word: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const answers: readonly (readonly [RegExp, RedisFailure['kind'], string])[] = [
  [
    /^(WRONGPASS|NOAUTH)|invalid password|AUTH .* called without/,
    'authentication',
    'Redis does not accept the password. Correct `redis-url` of the target.',
  ],
  [
    /^NOPERM|no permissions/,
    'permission',
    "The Redis user may not do this. Allow it the streams' commands, EVAL and SET on the keys m10:*.",
  ],
  [
    /^WRONGTYPE|WRONGTYPE Operation/,
    'wrong-type',
    'A key of another type lies under a name of the M10 streams. Look with TYPE which one, and whether `redis-url` leads to the right database.',
  ],
  [
    /^NOGROUP/,
    'no-group',
    'The consumer group is not there. Check that `redis-url` leads to the right database; the workers create the group when they start.',
  ],
  [
    /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)/,
    'refuses',
    'Redis is not ready yet. The next run tries again.',
  ],
  [
    /^READONLY/,
    'refuses',
    'This Redis is a replica that takes no writes, such as after a failover. Let `redis-url` lead to the primary.',
  ],
  [
    /^OOM|command not allowed when used memory/,
    'refuses',
    'The memory of Redis is full. Make room or raise maxmemory.',
  ],
  [
    /^MISCONF/,
    'refuses',
    'Redis cannot write to its disk and takes no changes. Look at its log and its disk.',
  ],
];

/**
 * Reads an error of ioredis; null when it is neither an answer of the server nor the loss of the connection.
 */
export function describeRedisFailure(error: unknown): RedisFailure | null {
  if (!(error instanceof Error)) return null;
  const { message, name } = error;
  for (const [pattern, kind, advice] of answers) {
    if (pattern.test(message)) return { kind, message: firstLine(message), advice };
  }
  const code = 'code' in error ? String(error.code) : '';
  const lost =
    /^E[A-Z]{3,}/.test(code) ||
    name === 'MaxRetriesPerRequestError' ||
    /Connection is closed|Command timed out|Stream isn't writeable|ETIMEDOUT|Connection (lost|ended)/.test(
      message,
    );
  if (lost) {
    return {
      kind: 'gone',
      message: message || code,
      advice:
        'Redis cannot be reached. Check that it runs and that the network leads there; the next run tries again.',
    };
  }
  if (name !== 'ReplyError') return null;
  return {
    kind: 'other',
    message: firstLine(message),
    advice: 'Look at the error, and at the log of Redis.',
  };
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
