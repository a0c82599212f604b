import { setTimeout as sleep } from 'node:timers/promises';

/** Brings some metrics up to date. Never throws: what cannot be read is absent and counted. */
export interface Refresher {
  refresh(): Promise<void>;
}

export interface RefreshOptions {
  /** What was read stays good for this long, ms: many readers cost as much as one. */
  readonly keepMs: number;
  /** Longest that a reader is kept waiting, ms. */
  readonly deadlineMs: number;
  /** It failed, or took too long: what it would have set must be made absent. */
  readonly onFailure: (error: unknown) => void;
  /** A monotonic clock, ms. */
  readonly now?: () => number;
}

/**
 * Reads at most once at a time, and at most once in `keepMs`, whoever asks. A read that takes too long is told as
 * a failure and left to end on its own; until then no other one is begun, so that a stuck source is asked once.
 * @param read reads first and then gives back how to show what it read, which a late read does not get to do
 */
export function createRefresher(
  read: () => Promise<() => void>,
  { keepMs, deadlineMs, onFailure, now = () => performance.now() }: RefreshOptions,
): Refresher {
  let doneAt = Number.NEGATIVE_INFINITY;
  let reading = false;
  let waiting: Promise<void> | undefined;

  async function once(): Promise<void> {
    if (reading) {
      onFailure(new Error('the read before this one has not ended yet'));
      return;
    }
    reading = true;
    const result = read().then(
      (show) => ({ show }),
      (error: unknown) => ({ error }),
    );
    void result.then(() => {
      reading = false;
    });
    const deadline = new AbortController();
    const late = sleep(
      deadlineMs,
      { error: new Error(`no answer within ${deadlineMs} ms`) },
      {
        signal: deadline.signal,
      },
    ).catch((error: unknown) => ({ error }));
    const first = await Promise.race([result, late]);
    deadline.abort();
    if ('error' in first) return onFailure(first.error);
    try {
      first.show();
    } catch (error) {
      onFailure(error);
    }
  }

  return {
    async refresh() {
      if (waiting === undefined) {
        if (now() - doneAt < keepMs) return;
        waiting = once().finally(() => {
          doneAt = now();
          waiting = undefined;
        });
      }
      await waiting;
    },
  };
}
