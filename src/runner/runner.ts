import { LeaseLost } from '../store/errors.js';
import { createLeaseKeeper } from '../store/keeper.js';
import type { Leases } from '../store/leases.js';
import type { Runs } from '../store/runs.js';
import type { Advance, Rest } from './advance.js';
import type { Log } from './ports.js';

export interface Runner {
  start(): void;
  /** The journal has grown, or something else may have changed: look at every open run. */
  wake(): void;
  /**
   * Starts no further step and waits for the running ones, `graceMs` at most. Children that are still running
   * then are left alone: they have their own process group, and the probe finds out later.
   */
  stop(graceMs: number): Promise<void>;
}

interface Active {
  readonly done: Promise<void>;
  readonly watchers: Set<() => void>;
  /** Woken while at work: look once more before resting. */
  again: boolean;
}

/** How long a lease on a run lasts without a renewal, ms: the longest that a dead bot delays the next one. */
const defaultLeaseMs = 10_000;
const pollMs = 5_000;

/** Advances every open run on these targets, each under its own lease. */
export function createRunner(deps: {
  readonly runs: Runs;
  readonly leases: Leases;
  readonly advance: Advance;
  /** Names of the targets that a run may hold: the open runs are those that hold one. */
  readonly targets: readonly string[];
  /** Unique to this life of this process. */
  readonly owner: string;
  readonly log: Log;
  readonly leaseMs?: number;
}): Runner {
  const { runs, leases, advance, owner, log, leaseMs = defaultLeaseMs } = deps;
  const active = new Map<number, Active>();
  const timers = new Map<number, NodeJS.Timeout>();
  let stopping = false;
  /** What still runs is left to itself: from here on a lease that ends with the process ends no child. */
  let leftAlone = false;
  let poll: NodeJS.Timeout | undefined;
  let scanning = false;
  let scanAgain = false;

  async function openRuns(): Promise<number[]> {
    const held = await runs.holders(deps.targets);
    return [...new Set(held.map((h) => h.run))];
  }

  async function scan(): Promise<void> {
    do {
      scanAgain = false;
      for (const run of await openRuns()) visit(run);
    } while (scanAgain && !stopping);
  }

  function wake(): void {
    for (const { watchers } of active.values()) for (const watcher of watchers) watcher();
    if (stopping) return;
    scanAgain = true;
    if (scanning) return;
    scanning = true;
    scan()
      .catch((error: unknown) => log.warn({ error }, 'could not look for open runs; trying again soon'))
      .finally(() => {
        scanning = false;
      });
  }

  function visit(run: number): void {
    if (stopping) return;
    const busy = active.get(run);
    if (busy !== undefined) {
      busy.again = true;
      return;
    }
    clearTimeout(timers.get(run));
    timers.delete(run);
    const entry: Active = { done: work(run), watchers: new Set(), again: false };
    active.set(run, entry);
    void entry.done.finally(() => {
      active.delete(run);
      if (entry.again && !stopping) visit(run);
    });
  }

  async function work(run: number): Promise<void> {
    const lost = new AbortController();
    let epoch = 0;
    const keeper = createLeaseKeeper({
      leases,
      name: `run:${run}`,
      owner,
      ttlMs: leaseMs,
      onLost: (reason) => {
        if (leftAlone) return;
        log.warn({ run, reason }, 'lost the lease on a run; what it has started goes on, and is found again');
        lost.abort(new LeaseLost(`run:${run}`, owner, epoch));
      },
    });
    try {
      // Yields once, so that the entry in `active` exists before anything can look for it.
      const lease = await keeper.acquire();
      if (lease.kind === 'refused') {
        // Its end is by the database's clock, which may show another time than this machine's.
        later(run, Math.min(Math.max(200, lease.until.getTime() - Date.now()), leaseMs));
        return;
      }
      epoch = lease.epoch;
      const fence = { lease: `run:${run}`, owner, epoch };
      const rest = await advance.run(run, fence, { lost: lost.signal, watch: watchOf(run) }, () => stopping);
      rested(run, rest);
    } catch (error) {
      if (!(error instanceof LeaseLost)) log.error({ error, run }, 'a run could not be advanced');
      later(run, 1_000);
    } finally {
      await keeper.release().catch((error: unknown) => log.warn({ error }, 'could not give a lease back'));
    }
  }

  function watchOf(run: number) {
    return (onGrown: () => void) => {
      const watchers = active.get(run)?.watchers;
      watchers?.add(onGrown);
      return () => {
        watchers?.delete(onGrown);
      };
    };
  }

  function rested(run: number, rest: Rest): void {
    if (rest.kind === 'again') later(run, rest.afterMs);
    if (rest.kind === 'waits' && rest.afterMs !== null) later(run, rest.afterMs);
  }

  function later(run: number, ms: number): void {
    clearTimeout(timers.get(run));
    // Longer timers would overflow; the poll looks in between anyway.
    const timer = setTimeout(() => visit(run), Math.min(ms, 3_600_000));
    timers.set(run, timer);
  }

  return {
    start() {
      poll = setInterval(wake, pollMs);
      wake();
    },
    wake,
    async stop(graceMs) {
      stopping = true;
      clearInterval(poll);
      for (const timer of timers.values()) clearTimeout(timer);
      let timer: NodeJS.Timeout | undefined;
      const grace = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([Promise.all([...active.values()].map((a) => a.done)), grace]);
      clearTimeout(timer);
      leftAlone = true;
    },
  };
}
