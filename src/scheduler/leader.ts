import { acquireLock, extendLock, listLocks, type M10Lock, releaseLock } from '../clients/m10/locks.js';
import type { Connection, Queryable } from '../clients/postgres.js';
import type { HeldLock, JobLog } from './job.js';

/** A lock that is ours until it is given back or lost. */
export interface Leadership {
  readonly kind: 'leads';
  readonly lock: HeldLock;
  /** Aborted once the lock is not surely ours any more; its reason says why, in words. */
  readonly lost: AbortSignal;
  /** Ends the heartbeat and gives the lock back, if it is still ours. Never throws. */
  release(database: Queryable): Promise<void>;
}

/** Somebody else has the lock. */
export interface Follows {
  readonly kind: 'follows';
  /** null: it was given back in the meantime. */
  readonly leader: M10Lock | null;
}

export interface Leader {
  /** Ours in `distributed_locks`, unique to this life of this process. */
  readonly holder: string;
  /**
   * Takes a job's lock by the target's own function, over the job's own session, and keeps it by a heartbeat each
   * third of its TTL over a connection that nothing else uses: a long statement of the job must not delay it.
   * @throws the driver's error
   */
  take(database: Queryable, name: string, ttlSeconds: number): Promise<Leadership | Follows>;
}

/**
 * Elects the leader of each job among this bot's replicas and whoever else takes the same locks.
 *
 * How long a lock is surely ours is counted from before each request was sent, so that we give up before the
 * target's clock does; a tenth of the TTL, 5 s at most, is kept for what a job does between asking and doing. The
 * monotonic clock of some machines stands still while they sleep, so the wall clock is asked too, and the older
 * of both answers counts.
 */
export function createLeader(deps: {
  readonly holder: string;
  /** Opens the connection of a heartbeat. */
  readonly connect: (applicationName: string) => Promise<Connection>;
  readonly log: JobLog;
  /** ms, never set back; `performance.now` when not given. */
  readonly monotonic?: () => number;
  /** ms since the epoch; `Date.now` when not given. */
  readonly now?: () => number;
}): Leader {
  const { holder, connect, log } = deps;
  const monotonic = deps.monotonic ?? (() => performance.now());
  const now = deps.now ?? Date.now;

  return {
    holder,
    async take(database, name, ttlSeconds) {
      const sent = { monotonic: monotonic(), wall: now() };
      if (!(await acquireLock(database, name, holder, ttlSeconds))) {
        const [leader] = await listLocks(database, name);
        return { kind: 'follows', leader: leader ?? null };
      }
      return lead(name, ttlSeconds, sent);
    },
  };

  function lead(name: string, ttlSeconds: number, sent: { monotonic: number; wall: number }): Leadership {
    const ttlMs = ttlSeconds * 1_000;
    const trustMs = ttlMs - Math.min(5_000, ttlMs / 10);
    const lost = new AbortController();
    let extended = sent;
    let over = false;
    let taken = false;
    let expiry: NodeJS.Timeout | undefined;
    let beat: NodeJS.Timeout | undefined;
    let beating: Promise<void> = Promise.resolve();
    let own: Extract<Connection, { kind: 'connected' }>['database'] | undefined;

    const age = () => Math.max(monotonic() - extended.monotonic, now() - extended.wall);
    const held = () => !over && !lost.signal.aborted && age() < trustMs;

    function lose(why: string): void {
      if (over || lost.signal.aborted) return;
      clearTimeout(expiry);
      clearTimeout(beat);
      log.warn({ lock: name, holder, why }, 'lost the lock of a job; the job is stopped');
      lost.abort(why);
    }

    function watchExpiry(): void {
      clearTimeout(expiry);
      expiry = setTimeout(
        () => {
          if (held()) watchExpiry();
          else lose(`the lock ${name} could not be extended before its time was up`);
        },
        Math.max(1, trustMs - age()),
      );
    }

    function later(ms: number): void {
      beat = setTimeout(() => {
        beating = extend();
      }, ms);
    }

    async function extend(): Promise<void> {
      try {
        if (own === undefined) {
          const connection = await connect(`m10bot lock ${name}`.slice(0, 63));
          if (connection.kind !== 'connected') throw new Error(connection.message);
          own = connection.database;
        }
        const attempt = { monotonic: monotonic(), wall: now() };
        const still = await extendLock(own, name, holder, ttlSeconds);
        if (over || lost.signal.aborted) return;
        if (!still) {
          taken = true;
          return lose(`the lock ${name} is not ours any more: it expired, or somebody took it away`);
        }
        extended = attempt;
        watchExpiry();
        later(ttlMs / 3);
      } catch (error) {
        log.warn({ error, lock: name }, 'the lock of a job could not be extended; trying again');
        const broken = own;
        own = undefined;
        await broken?.close();
        // The expiry decides when it is too late.
        if (!over && !lost.signal.aborted) later(Math.min(ttlMs / 10, 5_000));
      }
    }

    watchExpiry();
    later(Math.max(0, ttlMs / 3 - age()));

    return {
      kind: 'leads',
      lock: { name, holder, held },
      lost: lost.signal,
      async release(database) {
        over = true;
        clearTimeout(expiry);
        clearTimeout(beat);
        await beating;
        // Nothing to give back when it is known to be somebody else's.
        if (!taken) await giveBack(database, name);
        await own?.close();
      },
    };
  }

  /** Over the job's session, or over a new one when that is broken; otherwise the lock expires by itself. */
  async function giveBack(database: Queryable, name: string): Promise<void> {
    try {
      await releaseLock(database, name, holder);
    } catch {
      const connection = await connect(`m10bot lock ${name}`.slice(0, 63)).catch(() => null);
      if (connection?.kind !== 'connected') {
        log.warn({ lock: name, holder }, 'the lock of a job could not be given back; it expires by itself');
        return;
      }
      try {
        await releaseLock(connection.database, name, holder);
      } catch (error) {
        log.warn({ error, lock: name }, 'the lock of a job could not be given back; it expires by itself');
      } finally {
        await connection.database.close();
      }
    }
  }
}
