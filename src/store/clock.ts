import type pg from 'pg';

/** From here on a machine's clock is off and people are warned, ms: times in its log contradict the journal's. */
export const clockToleranceMs = 5_000;

/** Measured again this often, ms: a clock that was set is noticed. */
const measureEveryMs = 10_000;

/**
 * The state database's clock, which all replicas share: it decides when an event was and whether a request has
 * expired, whatever the clocks of their machines show.
 */
export interface DatabaseClock {
  /** The database's time, asked now; ms since the epoch. @throws when the database does not answer */
  now(): Promise<number>;
  /** The same without asking, from the last measurement; ms since the epoch. */
  reckon(): number;
  /** How far this machine's clock was ahead at the last measurement, ms; negative when it was behind. */
  aheadMs(): number;
  /** Measures now, and again from time to time until it is closed. @throws when the database does not answer */
  start(): Promise<void>;
  close(): void;
}

/**
 * Between measurements it goes by the monotonic clock, so that a machine's clock that is set moves nothing.
 * @param onOff called once each time that this machine's clock comes to be off, with how far it is ahead, ms
 * @param local this machine's clock, ms since the epoch
 */
export function createDatabaseClock(
  pool: Pick<pg.Pool, 'query'>,
  onOff: (aheadMs: number) => void,
  local: () => number = Date.now,
): DatabaseClock {
  let anchor: { readonly ms: number; readonly at: number } | null = null;
  let ahead = 0;
  let off = false;
  let timer: NodeJS.Timeout | undefined;

  const reckonAt = (monotonic: number) => (anchor === null ? local() : anchor.ms + monotonic - anchor.at);

  async function now(): Promise<number> {
    const before = performance.now();
    const { rows } = await pool.query<{ ms: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    );
    const after = performance.now();
    const ms = rows[0]?.ms;
    if (ms === undefined) throw new Error('the state database did not give its time');
    measured(ms, (before + after) / 2, (after - before) / 2);
    return ms;
  }

  /** @param within how far the moment may be from the one that the database answered for, ms */
  function measured(ms: number, at: number, within: number): void {
    // A slow answer must not move a good measurement.
    if (anchor === null || Math.abs(ms - reckonAt(at)) > within) anchor = { ms, at };
    ahead = local() - reckonAt(performance.now());
    const isOff = Math.abs(ahead) > clockToleranceMs;
    if (isOff && !off) onOff(ahead);
    off = isOff;
  }

  return {
    now,
    reckon: () => reckonAt(performance.now()),
    aheadMs: () => ahead,
    async start() {
      await now();
      timer ??= setInterval(() => {
        // The database is away: the last measurement stands, and whoever needs the time itself waits.
        now().catch(() => undefined);
      }, measureEveryMs).unref();
    },
    close: () => clearInterval(timer),
  };
}

/** That a clock is off, for people; null while it is not. @param aheadMs ms that this machine is ahead */
export function clockWarning(aheadMs: number): string | null {
  if (Math.abs(aheadMs) <= clockToleranceMs) return null;
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(0);
  return `this machine's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the state database's, which decides when requests expire; times in this machine's log and file names are off. Correct it by NTP`;
}
