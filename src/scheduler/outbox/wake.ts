import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ConnectOptions, Database } from '../../clients/postgres.js';
import type { JobLog } from '../job.js';
import { ensureWakeTrigger, WAKE_CHANNEL } from './wake-trigger.js';

export interface OutboxWakeOptions {
  /** Opens a session on the target; it lives as long as the waker. */
  readonly connect: (hooks: Pick<ConnectOptions, 'onNotification' | 'onEnd'>) => Promise<Connection>;
  /**
   * Called when events were published, and when notifications may have been missed: after each (new) connection.
   * Events that come close together make one call.
   */
  readonly onWake: () => void;
  readonly log: JobLog;
  /** How often a connection that is silent is looked at, ms; 30,000 when not given. */
  readonly lookMs?: number;
}

/**
 * Tells at once when an event is published, so that it need not wait for the next tick. For a configuration with
 * `listen: true`; the schedule stays what delivery can be relied on.
 *
 * For the scheduler: `start()` beside the schedules, run the outbox-processor in `onWake` as a tick would (also
 * its pauses and its lock hold), ignore a wake while a run is under way but run once more after it; `stop()` at
 * the end.
 */
export interface OutboxWake {
  start(): void;
  /** Closes the session; `onWake` is not called afterwards. */
  stop(): Promise<void>;
}

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 60_000;
/** After a wake, all others within this time make one more, ms. */
const GATHER_MS = 20;

export function createOutboxWake(options: OutboxWakeOptions): OutboxWake {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let gathering: NodeJS.Timeout | null = null;
  let again = false;

  function wake(): void {
    if (stopping.signal.aborted) return;
    again = gathering !== null;
    if (gathering !== null) return;
    options.onWake();
    gathering = setTimeout(() => {
      gathering = null;
      if (again) wake();
    }, GATHER_MS);
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  async function listenOnce(onListening: () => void): Promise<void> {
    const ended = new AbortController();
    const connection = await options.connect({
      onNotification: wake,
      onEnd: () => ended.abort(),
    });
    if (connection.kind === 'unreachable') throw new Error(connection.message);
    const { database } = connection;
    try {
      await prepare(database, options.log);
      onListening();
      // What came while nobody listened.
      wake();
      const over = AbortSignal.any([ended.signal, stopping.signal]);
      while (!over.aborted) {
        await sleep(options.lookMs ?? 30_000, undefined, { signal: over }).catch(() => undefined);
        // A dead network says nothing by itself. A trigger that went with its table comes back here too.
        if (!over.aborted) await prepare(database, options.log);
      }
    } finally {
      await database.close();
    }
  }

  async function listen(): Promise<void> {
    let delay = FIRST_DELAY;
    while (!stopping.signal.aborted) {
      try {
        await listenOnce(() => {
          delay = FIRST_DELAY;
        });
      } catch (error) {
        if (stopping.signal.aborted) return;
        const why = error instanceof Error ? error.message : String(error);
        options.log.warn({ why }, 'new outbox events are not told at once for now; the schedule finds them');
      }
      await pause(delay);
      delay = Math.min(delay * 2, LONGEST_DELAY);
    }
  }

  let told: string | null = null;
  async function prepare(database: Database, log: JobLog): Promise<void> {
    await database.query(`listen ${WAKE_CHANNEL}`);
    const made = await ensureWakeTrigger(database);
    const state = made.kind === 'refused' ? made.why : made.kind;
    if (state === told) return;
    told = state;
    if (made.kind === 'made') log.info({}, 'a trigger on m10_recovery.outbox wakes the outbox-processor');
    if (made.kind === 'refused') {
      log.warn({ why: made.why }, 'no trigger may be made on the outbox; the schedule finds new events');
    }
  }

  return {
    start() {
      running = listen();
    },
    async stop() {
      stopping.abort();
      if (gathering !== null) clearTimeout(gathering);
      await running;
    },
  };
}
