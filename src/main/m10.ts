import { type M10Result, withM10, withM10Streams } from '../checks/m10/session.js';
import { cleanupExpiredLocks, listLocks, type M10Lock } from '../clients/m10/locks.js';
import { readOutbox } from '../clients/m10/outbox.js';
import { outboxEvent, type Retried, retryEvent } from '../clients/m10/outbox-events.js';
import { findDeadLetter } from '../clients/m10/replay.js';
import { replayFacts } from '../clients/m10/replays.js';
import { momentAgo, replaysBefore } from '../clients/m10/replays-before.js';
import type { Database } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import { jobOfLock, lastHeartbeat } from '../runbook/jobs/lock-names.js';
import type { LockSeen, M10Answer, M10Port, RetryResult } from '../runbook/jobs/m10-port.js';

const applicationName = 'm10bot:look';
/** A look at a table that has grown is why people look at all, ms. */
const statementTimeoutMs = 20_000;

/** The M10 objects of a target, each question on a session of its own. */
export function createM10(deps: {
  readonly target: TargetConfig;
  readonly redact: (text: string) => string;
}): M10Port {
  const { target, redact } = deps;
  const options = { applicationName, statementTimeoutMs };

  function answered<T>(result: M10Result<T>): M10Answer<T> {
    return result.kind === 'ok'
      ? result
      : { kind: 'no', why: redact(result.why), instead: redact(result.instead) };
  }
  const shown = (lock: M10Lock): LockSeen => ({
    ...seen(lock),
    name: redact(lock.name),
    holder: redact(lock.holder),
  });
  const ask = async <T>(work: (database: Database) => Promise<T>) =>
    answered(await withM10(target, options, work));

  return {
    target: target.name,
    locks: () => ask(async (database) => (await listLocks(database)).map(shown)),
    lock: (name) =>
      ask(async (database) => {
        const [lock] = await listLocks(database, name);
        return lock === undefined ? null : seen(lock);
      }),
    cleanupLocks: () =>
      ask((database) =>
        database.transaction(
          async (inside) => {
            const before = (await listLocks(inside)).filter((lock) => lock.stale);
            const gone = await cleanupExpiredLocks(inside);
            const left = new Map((await listLocks(inside)).map((lock) => [lock.name, lock]));
            // One that was taken anew between the two is not among those that went.
            const removed = before.filter(({ name }) => left.get(name) === undefined).map(shown);
            return gone === 0 ? [] : removed;
          },
          { isolation: 'read committed' },
        ),
      ),
    outbox: () =>
      ask(async (database) => {
        const { oldestAge, lag, byType, lastErrors, ...facts } = await readOutbox(database);
        return {
          ...facts,
          oldestMs: oldestAge === null ? null : oldestAge * 1_000,
          lagMs: lag * 1_000,
          // What a publisher wrote or a receiver answered may hold anything.
          byType: byType.map((each) => ({ ...each, eventType: redact(each.eventType) })),
          lastErrors: lastErrors.map((each) => ({
            ...each,
            eventType: redact(each.eventType),
            aggregate: redact(each.aggregate),
            error: redact(each.error),
          })),
        };
      }),
    outboxEvent: (id) => ask((database) => outboxEvent(database, id)),
    retryOutbox: (id) => ask(async (database) => toldOf(await retryEvent(database, id))),
    replays: () => ask((database) => replayFacts(database)),
    countReplays: (olderThanMs) =>
      ask(async (database) => {
        const before = await momentAgo(database, olderThanMs);
        return { before, count: (await replaysBefore(database, before)).count };
      }),
    deadLetter: async (message) => {
      const found = await withM10Streams(target, options, (database, redis) =>
        findDeadLetter({ database, redis, message }),
      );
      if (found.kind === 'no' || found.value === null)
        return answered<null>(found.kind === 'no' ? found : { kind: 'ok', value: null });
      const { deadLetter, original, unfit, replayed } = found.value;
      const as = replayed?.newId == null ? '' : ` as ${replayed.newId}`;
      const when = replayed?.at == null ? '' : ` at ${new Date(replayed.at).toISOString()}`;
      return {
        kind: 'ok',
        value: {
          deadLetter,
          original,
          unfit,
          replayed: replayed === null ? null : `put back already${as}${when}`,
        },
      };
    },
  };
}

function toldOf(retried: Retried): RetryResult {
  switch (retried.kind) {
    case 'made_due':
    case 'due_already':
      return { kind: 'due', revived: false, behind: retried.behind };
    case 'revived':
      return { kind: 'due', revived: true, behind: null };
    case 'delivering':
      return { kind: 'delivering' };
    case 'processed':
      return { kind: 'delivered' };
    case 'not_found':
      return { kind: 'gone' };
    case 'replaced':
      return retried;
  }
}

/** How a replica of this bot is written as a holder. */
const ours = /^m10bot:/;

function seen(lock: M10Lock): LockSeen {
  const heartbeat = lastHeartbeat(lock);
  return {
    name: lock.name,
    holder: lock.holder,
    acquiredAt: lock.acquiredAt,
    expiresAt: lock.expiresAt,
    ageMs: lock.ageMs,
    leftMs: lock.leftMs,
    stale: lock.stale,
    ours: ours.test(lock.holder),
    job: jobOfLock(lock.name)?.job ?? null,
    // The age is by the target's clock, and so are both moments.
    silentMs: heartbeat === null ? null : Math.max(0, lock.acquiredAt + lock.ageMs - heartbeat),
  };
}
