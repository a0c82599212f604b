import type { Redis } from 'ioredis';
import { SQLSTATE } from '../../clients/postgres/failure.js';
import type { Database } from '../../clients/postgres.js';
import { type RedisAnswer, withRedis } from '../../clients/redis-session.js';
import type { TargetConfig } from '../../config.js';
import { explain, type SessionFailure, type SessionOptions, withSession } from '../session.js';

/** What the M10 objects of a target answered, or why they gave no answer and what can be done about it. */
export type M10Result<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | {
      readonly kind: 'no';
      readonly why: string;
      readonly instead: string;
      /** It may have had an effect all the same. */
      readonly unclear: boolean;
    };

export type M10Refusal = Exclude<M10Result<never>, { readonly kind: 'ok' }>;

const undefinedFunction = '42883';
const undefinedColumn = '42703';

/** Works on the M10 objects of a target over one session. */
export async function withM10<T>(
  target: TargetConfig,
  options: SessionOptions,
  work: (database: Database) => Promise<T>,
): Promise<M10Result<T>> {
  const read = await withSession(target, options, work);
  return read.kind === 'ok' ? read : sayDatabase(target.name, read);
}

/** The same with a connection to the target's Redis beside it. */
export async function withM10Streams<T>(
  target: TargetConfig,
  options: SessionOptions,
  work: (database: Database, redis: Redis) => Promise<T>,
): Promise<M10Result<T>> {
  const { redisUrl, name } = target;
  if (redisUrl === null) {
    return no(
      `${name} has no Redis in the configuration.`,
      `Set \`redis-url\` of the target ${name} in m10.yml.`,
    );
  }
  const read = await withM10(target, options, (database) =>
    withRedis({ ...target, redisUrl }, options.applicationName, (redis) => work(database, redis)),
  );
  if (read.kind === 'no') return read;
  return read.value.kind === 'ok' ? read.value : sayRedis(name, read.value);
}

function sayDatabase(name: string, failure: SessionFailure): M10Refusal {
  if (failure.kind === 'sql_error') {
    switch (failure.code) {
      case SQLSTATE.undefinedTable:
      case SQLSTATE.invalidSchema:
      case undefinedFunction:
      case undefinedColumn:
        return no(
          `${name} does not have the M10 objects of revision 022 as they should be: ${failure.message}.`,
          'Migrate it first; when it is migrated, `m10bot doctor` and the runbook compare its objects.',
        );
      case SQLSTATE.insufficientPrivilege:
        return no(
          `The bot's role on ${name} may not do that: ${failure.message}.`,
          'The owner of the schema m10_recovery can GRANT it.',
        );
      case SQLSTATE.lockNotAvailable:
        return no(
          `Another session of ${name} holds what that needs: ${failure.message}.`,
          'Try again once it has ended.',
        );
      case SQLSTATE.queryCanceled:
        return no(`${name} took too long over it: ${failure.message}.`, 'Try again when it is less busy.');
    }
  }
  return {
    kind: 'no',
    why: `The database of ${name} ${explain(failure)}.`,
    instead: 'Try again once it answers.',
    unclear: failure.kind === 'connection_lost',
  };
}

function sayRedis(name: string, failure: Exclude<RedisAnswer<never>, { readonly kind: 'ok' }>): M10Refusal {
  return {
    kind: 'no',
    why: `The Redis of ${name} did not do it: ${failure.message}.`,
    instead: failure.advice,
    unclear: failure.kind === 'gone',
  };
}

function no(why: string, instead: string): M10Refusal {
  return { kind: 'no', why, instead, unclear: false };
}
