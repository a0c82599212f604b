import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HTTPReceiver } from '@slack/bolt';
import type { Connection } from './connection.js';
import { boltLogger, type Log, messageOf } from './log.js';

/** Slack's own limit for the age of a signed request, in seconds; Bolt checks the past side alone. */
const MAX_SKEW = 300;

/** Slack's requests over HTTP, with `/healthz` and `/readyz` beside them. */
export function createHttpConnection(deps: {
  readonly signingSecret: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  /** Whether the bot can do its work now. */
  readonly ready: () => Promise<boolean>;
  /** ms since the epoch */
  readonly now: () => number;
  readonly onConnected: () => void;
}): { readonly connection: Connection; readonly receiver: HTTPReceiver } {
  const { log, now } = deps;
  const say = (response: ServerResponse, status: number, text: string) => {
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
  };
  const receiver = new HTTPReceiver({
    signingSecret: deps.signingSecret,
    endpoints: ['/slack/events'],
    port: deps.port,
    logger: boltLogger(log),
    // No delivery of Slack's comes near it.
    bodyLimit: 1_048_576,
    customRoutes: [
      { path: '/healthz', method: 'GET', handler: (_, response) => say(response, 200, 'alive') },
      {
        path: '/readyz',
        method: 'GET',
        handler: (_, response) => {
          deps.ready().then(
            (ready) => say(response, ready ? 200 : 503, ready ? 'ready' : 'not ready'),
            () => say(response, 503, 'not ready'),
          );
        },
      },
    ],
    dispatchErrorHandler: ({ response }) => say(response, 404, 'not found'),
    processEventErrorHandler: async ({ error, response }) => {
      log.error({ error: messageOf(error) }, 'a delivery could not be taken in');
      // Slack delivers it again.
      if (!response.headersSent) say(response, 500, 'not taken in');
      return false;
    },
  });

  const listen = receiver.requestListener;
  receiver.requestListener = (request: IncomingMessage, response: ServerResponse) => {
    const stamp = Number(request.headers['x-slack-request-timestamp'] ?? 0);
    if (stamp > now() / 1_000 + MAX_SKEW) {
      log.warn({ stamp }, 'a request from the future was refused; are the clocks right?');
      request.resume();
      say(response, 401, 'the timestamp is in the future');
      return;
    }
    listen(request, response);
  };

  let server: Server | undefined;
  const connection: Connection = {
    async start() {
      server = await receiver.start(deps.port);
      deps.onConnected();
    },
    async stop() {
      if (server === undefined) return;
      const closing = receiver.stop();
      server.closeIdleConnections();
      await closing;
      server = undefined;
    },
    connected: () => server?.listening ?? false,
    port: () => {
      const address = server?.address();
      return typeof address === 'object' && address !== null ? address.port : null;
    },
  };
  return { connection, receiver };
}
