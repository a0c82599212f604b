import { setTimeout as sleep } from 'node:timers/promises';
import { SocketModeReceiver } from '@slack/bolt';
import type { Connection } from './connection.js';
import { boltLogger, type Log, messageOf } from './log.js';
import { ForeignDelivery, MalformedDelivery } from './origin.js';

/** How long Slack may take to greet a new socket, ms. */
const HELLO = 15_000;
const CLOSE = 3_000;
const FIRST_DELAY = 250;
const LONGEST_DELAY = 10_000;

/**
 * Socket Mode with a supervisor of its own. The client's reconnecting is switched off: it waits five seconds
 * at every refresh, and a reconnect that fails ends as an unhandled rejection. Here a socket that ends is
 * replaced at once, and a failed attempt is tried again, later each time, for as long as it takes.
 */
export function createSocketConnection(deps: {
  readonly appToken: string;
  readonly apiUrl: string;
  readonly log: Log;
  /** Called after each connect: deliveries may have been lost before it. */
  readonly onConnected: () => void;
}): { readonly connection: Connection; readonly receiver: SocketModeReceiver } {
  const { log } = deps;
  const receiver = new SocketModeReceiver({
    appToken: deps.appToken,
    logger: boltLogger(log),
    autoReconnectEnabled: false,
    installerOptions: {
      clientOptions: {
        slackApiUrl: deps.apiUrl,
        timeout: 10_000,
        rejectRateLimitedCalls: true,
        retryConfig: { retries: 0 },
      },
    },
    // Not acknowledged: Slack delivers it again.
    processEventErrorHandler: async ({ error }) => {
      if (error instanceof ForeignDelivery || error instanceof MalformedDelivery) {
        log.warn({ error: messageOf(error) }, 'a delivery was refused');
        // Acknowledged, or it would come again.
        return true;
      }
      log.error({ error: messageOf(error) }, 'a delivery could not be taken in');
      return false;
    },
  });
  const { client } = receiver;
  const stopping = new AbortController();
  let connected = false;
  let running: Promise<void> = Promise.resolve();

  client.on('connected', () => {
    connected = true;
    deps.onConnected();
  });
  client.on('disconnecting', () => {
    connected = false;
  });
  client.on('disconnected', () => {
    connected = false;
  });

  /** One socket, from its start to its end. */
  async function live(onFirst: () => void): Promise<boolean> {
    const ended = new Promise<void>((resolve) => client.once('disconnected', () => resolve()));
    const timer = setTimeout(() => void client.disconnect(), HELLO);
    try {
      await client.start();
    } catch (error) {
      if (!stopping.signal.aborted) {
        log.warn({ error: error === undefined ? 'no answer' : messageOf(error) }, 'no socket to Slack');
      }
      return false;
    } finally {
      clearTimeout(timer);
      onFirst();
    }
    log.info({}, 'connected to Slack');
    await ended;
    if (!stopping.signal.aborted) log.info({}, 'the socket to Slack ended; connecting again');
    return true;
  }

  async function supervise(onFirst: () => void): Promise<void> {
    for (let delay = FIRST_DELAY; !stopping.signal.aborted; ) {
      const lived = await live(onFirst);
      if (lived) {
        delay = FIRST_DELAY;
        continue;
      }
      // Up to half as long again, so that replicas do not come back in step.
      await sleep(delay * (1 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => {});
      delay = Math.min(delay * 2, LONGEST_DELAY);
    }
  }

  const connection: Connection = {
    start() {
      return new Promise((resolve) => {
        running = supervise(resolve);
      });
    },
    async stop() {
      stopping.abort();
      await Promise.race([client.disconnect(), sleep(CLOSE)]);
      await Promise.race([running, sleep(CLOSE)]);
    },
    connected: () => connected,
    port: () => null,
  };
  return { connection, receiver };
}
