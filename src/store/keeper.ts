import type { Granted, Leases, Refused } from './leases.js';

export interface LeaseKeeperOptions {
  readonly leases: Leases;
  readonly name: string;
  /** Unique to this life of this process. */
  readonly owner: string;
  /** How long the lease lasts without a renewal, in ms. It is renewed at a third of it. */
  readonly ttlMs: number;
  /** Called once per loss, with why. Whatever the lease protects must end now. */
  readonly onLost: (reason: string) => void;
}

export interface LeaseKeeper {
  /** Takes the lease and keeps it renewed from then on. */
  acquire(): Promise<Granted | Refused>;
  /** The epoch while the lease is surely held, by this machine's monotonic clock; otherwise undefined. */
  epoch(): number | undefined;
  /** Stops renewing and gives the lease back. `onLost` is not called for it. */
  release(): Promise<void>;
}

interface Held {
  readonly epoch: number;
  /** On the clock of `performance.now()`. */
  deadline: number;
  expiry: NodeJS.Timeout;
  renewal: NodeJS.Timeout;
}

/**
 * Keeps one lease. The expiry is counted from before each request was sent, on the monotonic clock: the
 * database counts from later, so the keeper always gives up first. A process that was frozen past the
 * deadline sees it in `epoch()` at once, before any timer has had its turn.
 */
export function createLeaseKeeper({ leases, name, owner, ttlMs, onLost }: LeaseKeeperOptions): LeaseKeeper {
  let held: Held | undefined;

  function drop(lost: Held, reason: string | undefined): void {
    if (held !== lost) return;
    held = undefined;
    clearTimeout(lost.expiry);
    clearTimeout(lost.renewal);
    if (reason !== undefined) onLost(reason);
  }

  function extend(current: Held, deadline: number): void {
    current.deadline = deadline;
    clearTimeout(current.expiry);
    current.expiry = setTimeout(
      () => drop(current, `lease ${name} could not be renewed before it expired`),
      Math.max(0, deadline - performance.now()),
    );
  }

  function scheduleRenewal(current: Held, delay: number): void {
    current.renewal = setTimeout(() => {
      const deadline = performance.now() + ttlMs;
      leases.renew(name, owner, current.epoch, ttlMs).then(
        (renewed) => {
          if (held !== current) return;
          if (!renewed) return drop(current, `lease ${name} was lost: it expired or another owner took it`);
          extend(current, deadline);
          scheduleRenewal(current, ttlMs / 3);
        },
        // The database did not answer: try again soon; the expiry timer decides when it is too late.
        () => {
          if (held === current) scheduleRenewal(current, ttlMs / 10);
        },
      );
    }, delay);
  }

  return {
    async acquire() {
      const deadline = performance.now() + ttlMs;
      const answer = await leases.acquire(name, owner, ttlMs);
      if (answer.kind === 'refused') return answer;
      if (held !== undefined) drop(held, undefined);
      const idle = setTimeout(() => {}, 0);
      const current: Held = { epoch: answer.epoch, deadline, expiry: idle, renewal: idle };
      held = current;
      extend(current, deadline);
      scheduleRenewal(current, ttlMs / 3);
      return answer;
    },
    epoch: () => (held !== undefined && performance.now() < held.deadline ? held.epoch : undefined),
    async release() {
      const current = held;
      if (current === undefined) return;
      drop(current, undefined);
      await leases.release(name, owner, current.epoch);
    },
  };
}
