import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HTTPModuleFunctions, HTTPReceiver } from '@slack/bolt';
import type { Connection } from './connection.js';
import { isObject } from './intake.js';
import { boltLogger, type Log, messageOf } from './log.js';
import { ForeignDelivery } from './origin.js';

/** Slack's own limit for the age of a signed request, in seconds; Bolt checks the past side alone. */
const MAX_SKEW = 300;
/** No delivery of Slack's comes near it. */
const MOST_BYTES = 1_048_576;
const ENDPOINT = '/slack/events';

/** Slack's requests over HTTP, with `/healthz` and `/readyz` beside them. */
export function createHttpConnection(deps: {
  readonly signingSecret: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Address that is listened on; every one of this machine when not given. */
  readonly host?: string | undefined;
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
    endpoints: [ENDPOINT],
    port: deps.port,
    logger: boltLogger(log),
    bodyLimit: MOST_BYTES,
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
      if (error instanceof ForeignDelivery) {
        log.warn({ error: messageOf(error) }, 'a delivery was refused');
        response.setHeader('x-slack-no-retry', '1');
        if (!response.headersSent) say(response, 403, 'not for this installation');
        return false;
      }
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
    hear(request, response).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'a request could not be answered');
      if (!response.headersSent) say(response, 400, 'not a request of Slack');
    });
  };

  /**
   * Hands a request on, unless its body is JSON that is no object (`null`, a list, a number): Bolt reads members of it
   * where nobody catches what that throws.
   */
  async function hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST' || request.url?.split('?')[0] !== ENDPOINT) {
      // What matches no route is thrown at once.
      try {
        listen(request, response);
      } catch {
        say(response, 404, 'not found');
      }
      return;
    }
    const buffered = await HTTPModuleFunctions.bufferIncomingMessage(request, MOST_BYTES).catch(
      (error: unknown) => {
        // A body without an end is not read on.
        response.setHeader('connection', 'close');
        say(response, HTTPModuleFunctions.isRawBodyError(error) ? error.statusCode : 400, 'not taken in');
        return null;
      },
    );
    if (buffered === null) return;
    if (isObject(bodyOf(buffered))) listen(buffered, response);
    else say(response, 400, 'expected a JSON object');
  }

  /** The body as Bolt will read it; an object stands for what it will refuse by itself, as 401 or 400. */
  function bodyOf(request: Awaited<ReturnType<typeof HTTPModuleFunctions.bufferIncomingMessage>>): unknown {
    try {
      return HTTPModuleFunctions.parseHTTPRequestBody(request);
    } catch {
      return {};
    }
  }

  let server: Server | undefined;
  const connection: Connection = {
    async start() {
      const { port, host } = deps;
      server = await receiver.start(host === undefined ? { port } : { port, host });
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
