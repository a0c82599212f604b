import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { JOURNAL_CHANNEL } from './journal.js';

export interface ListenerOptions {
  /** A PostgreSQL connection URL, or what the driver is to be given in its place. */
  readonly url: string | pg.ClientConfig;
  /** Called with the journal's last position known: at the start, after each append, after each reconnect. */
  readonly onPosition: (position: number) => void;
  /** Called when the connection is lost or cannot be made; the listener goes on by itself. */
  readonly onError?: (error: Error) => void;
  /** How often the position is asked for without a notification, in ms. Default 5,000. */
  readonly pollMs?: number;
}

export interface Listener {
  /** Closes the connection; `onPosition` is not called afterwards. */
  close(): Promise<void>;
}

const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
const QUERY_TIMEOUT = 10_000;

/**
 * Wakes a reader of the journal, over a connection of its own. Notifications that were sent while there was
 * no connection are lost for good, so the position is read after each LISTEN; the slow poll finds a
 * connection that died silently, and serves where a transaction pooler swallows notifications.
 */
export function createListener(options: ListenerOptions): Listener {
  const closing = new AbortController();
  const done = listenForever(options, closing.signal);
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}

async function listenForever(options: ListenerOptions, closing: AbortSignal): Promise<void> {
  let delay = FIRST_DELAY;
  while (!closing.aborted) {
    try {
      await listenOnce(options, closing, () => {
        delay = FIRST_DELAY;
      });
    } catch (error) {
      if (closing.aborted) return;
      options.onError?.(error instanceof Error ? error : new Error(String(error)));
      // Up to half as long again, so that replicas do not come back in step.
      await pause(delay * (1 + Math.random() / 2), closing);
      delay = Math.min(delay * 2, LONGEST_DELAY);
    }
  }
}

/** One connection, until it breaks (throws) or the listener is closed (returns). */
async function listenOnce(options: ListenerOptions, closing: AbortSignal, onConnected: () => void) {
  const client = new pg.Client({
    ...(typeof options.url === 'string' ? { connectionString: options.url } : options.url),
    application_name: 'm10bot-listener',
    connectionTimeoutMillis: QUERY_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
  });
  const broken = new Promise<never>((_, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection for notifications ended')));
  });
  // It may break while nothing awaits it.
  broken.catch(() => {});

  const tell = (position: number) => {
    if (!closing.aborted) options.onPosition(position);
  };
  client.on('notification', ({ payload }) => tell(Number(payload)));

  try {
    await client.connect();
    await client.query(`LISTEN ${JOURNAL_CHANNEL}`);
    onConnected();
    let told: number | undefined;
    while (!closing.aborted) {
      const { rows } = await client.query<{ position: string }>('SELECT position FROM m10bot.journal_head');
      const position = Number(rows[0]?.position ?? 0);
      if (position !== told) tell(position);
      told = position;
      await Promise.race([broken, pause(options.pollMs ?? 5_000, closing)]);
    }
  } finally {
    // A dead network never confirms the end.
    await Promise.race([client.end().catch(() => {}), sleep(1_000, undefined, { ref: false })]);
  }
}

/** Ends early, without an error, when the listener is closed. */
async function pause(ms: number, closing: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: closing }).catch(() => {});
}
