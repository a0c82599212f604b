import pg from 'pg';
import { hasCode, isMistakeOfCode } from './postgres/failure.js';

/** Why Redis did not do what it was asked. */
export interface RedisFailure {
  readonly kind:
    | 'gone'
    | 'tls'
    | 'authentication'
    | 'permission'
    | 'wrong-type'
    | 'no-group'
    | 'refuses'
    | 'other';
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
    /^(CROSSSLOT|MOVED|ASK)\b/,
    'refuses',
    'This Redis is a cluster, and the streams of M10 are read together with their hash and set. Let `redis-url` lead to a Redis without cluster mode.',
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

/** There is no connection; the cause is the system's, TLS' or the server's own words. */
export class RedisConnectionError extends Error {
  override readonly name = 'RedisConnectionError';
  constructor(override readonly cause: Error) {
    super(cause.message || cause.name);
  }
}

/**
 * Reads an error of ioredis; null when it is none: what uses Redis uses PostgreSQL as well, whose errors have codes
 * of their own. Answers of the server are told by their first word, and what failed while connecting by where it
 * comes from: the system, TLS, the library.
 */
export function describeRedisFailure(error: unknown): RedisFailure | null {
  if (!(error instanceof Error)) return null;
  const connecting = error instanceof RedisConnectionError;
  const inner = connecting ? error.cause : error;
  if (isMistakeOfCode(inner) || inner instanceof pg.DatabaseError) return null;
  const { message, name } = inner;
  for (const [pattern, kind, advice] of answers) {
    if (pattern.test(message)) return { kind, message: firstLine(message), advice };
  }
  if (name === 'ReplyError') {
    return {
      kind: 'other',
      message: firstLine(message),
      advice: 'Look at the error, and at the log of Redis.',
    };
  }
  // A server without TLS answers the greeting of TLS with words, or hangs up; one with TLS hangs up on plain words.
  const code = hasCode(inner) ? inner.code : '';
  if (name === 'ParserError' || (connecting && code !== '' && !isSystem(code))) {
    return {
      kind: 'tls',
      message: `the TLS connection failed: ${firstLine(message || code)}`,
      advice:
        'Let `redis-url` begin with rediss:// where the server speaks TLS and with redis:// where it does not, and name who signed its certificate in `redis-ca`.',
    };
  }
  if (!connecting && !isLost(inner)) return null;
  return {
    kind: 'gone',
    message: firstLine(message || code || name),
    advice:
      'Redis cannot be reached. Check that it runs, that the network leads there, and that `redis-url` begins with rediss:// where the server speaks TLS; the next run tries again.',
  };
}

/** A connection that was there: the library has one class and some words for its end. */
function isLost({ name, message }: Error): boolean {
  return (
    name === 'MaxRetriesPerRequestError' ||
    /Connection is closed|Command timed out|Stream isn't writeable|Connection (lost|ended)/.test(message)
  );
}

/** Codes of the system are E and capitals (ECONNREFUSED); those of Node and of OpenSSL's verification are not. */
function isSystem(code: string): boolean {
  return code !== 'EPROTO' && /^E[A-Z0-9]+$/.test(code);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
