import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { repositoryRoot } from '../services/tools.js';
import type { ApiContext } from './api-context.js';
import { createCallLog } from './calls.js';
import { createDeliveries, SLACK_RETRY_SCHEDULE_MS } from './delivery/deliver.js';
import { createHttpTransport, type HttpTransport } from './delivery/http.js';
import { VERIFICATION_TOKEN } from './delivery/payloads.js';
import { createSocketHub } from './delivery/socket.js';
import type { Transport } from './delivery/transport.js';
import { PersonError } from './errors.js';
import { createFaults } from './faults.js';
import { readManifest } from './manifest.js';
import type { PeopleContext } from './people/context.js';
import type { Mode } from './people/protocol.js';
import { handlePeople } from './people/routes.js';
import { createRateLimiter, type RateLimits } from './rate-limits.js';
import { handleResponseUrl, handleUpload } from './side-doors.js';
import { createTimers } from './timers.js';
import { handleWebApi } from './web-api.js';
import { createWorld } from './world.js';

/** How the stand-in is set up; everything has a default. */
export interface SlackStandInOptions {
  tokens?: { bot: string; app: string };
  signingSecret?: string;
  /** Where the app takes deliveries at first: Socket Mode (the default) or an address, taken as verified. */
  mode?: Mode;
  /** Milliseconds before each further attempt to deliver an event. */
  retryScheduleMs?: readonly number[];
  /** Milliseconds that the app has to acknowledge; Slack gives 3,000. */
  ackTimeoutMs?: number;
  rateLimits?: RateLimits;
  /** The app manifest; by default the one at the root of the repository. */
  manifestPath?: string;
  /** TCP port on 127.0.0.1; 0, the default, takes a free one. */
  port?: number;
  /** The clock, in milliseconds since 1970. */
  now?: () => number;
}

/** A running stand-in. */
export interface SlackStandIn {
  /** For the bot: the address of the Web API, ending in `/api/`. */
  url: string;
  /** For `createPeople`. */
  peopleUrl: string;
  tokens: { bot: string; app: string };
  signingSecret: string;
  /** Ends the server, its sockets and its timers. */
  close(): Promise<void>;
}

const NOBODY: Transport = { send: async () => ({ kind: 'nobody' }) };

/** Starts a local Slack on 127.0.0.1. */
export async function createSlackStandIn(options: SlackStandInOptions = {}): Promise<SlackStandIn> {
  const now = options.now ?? Date.now;
  const ackTimeoutMs = options.ackTimeoutMs ?? 3000;
  const secret = randomBytes(8).toString('hex');
  const tokens = options.tokens ?? { bot: `xoxb-local-${secret}`, app: `xapp-local-${secret}` };
  const signingSecret = options.signingSecret ?? randomBytes(16).toString('hex');

  const timers = createTimers();
  const world = createWorld(timers, now);
  const manifest = readManifest(options.manifestPath ?? join(await repositoryRoot(), 'manifest.yml'));
  const faults = createFaults();
  const limiter = createRateLimiter(options.rateLimits ?? 'slack', now);
  const calls = createCallLog();
  const sockets = createSocketHub(timers, world.changes, ackTimeoutMs);
  let origin = '';

  const httpTo = (url: string): HttpTransport =>
    createHttpTransport(url, { signingSecret, token: VERIFICATION_TOKEN, now, ackTimeoutMs });
  const first = options.mode ?? 'socket';
  let http = first === 'socket' ? undefined : httpTo(first.http);
  const deliveries = createDeliveries(
    () => ({
      transport: faults.outage === undefined ? (http ?? sockets) : NOBODY,
      viaHttp: http !== undefined,
    }),
    { timers, changes: world.changes, scheduleMs: options.retryScheduleMs ?? SLACK_RETRY_SCHEDULE_MS },
  );

  async function setMode(mode: Mode): Promise<void> {
    const next = mode === 'socket' ? undefined : httpTo(mode.http);
    if (next !== undefined && !(await next.verify())) {
      next.close();
      throw new PersonError('url_verification_failed', 'The address did not send the challenge back');
    }
    http?.close();
    http = next;
  }

  const context: ApiContext = {
    world,
    manifest,
    origin: () => origin,
    socketUrl: () => `${origin.replace('http', 'ws')}/link/?ticket=${sockets.ticket()}&app_id=local`,
  };
  const people: PeopleContext = {
    world,
    manifest,
    deliveries,
    sockets,
    faults,
    limiter,
    calls,
    origin: () => origin,
    setMode,
  };
  const api = { context, tokens, limiter, faults, calls };

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, door = '', rest = ''] = /^\/([a-z]+)\/(.*)$/.exec(pathname) ?? [];
    if (door === 'people') return handlePeople(rest, request, response, people);
    if (faults.outage === 'drop') {
      request.socket.destroy();
      return;
    }
    if (faults.outage === '503') {
      response.writeHead(503, { 'content-type': 'text/plain' }).end('service unavailable');
      return;
    }
    if (door === 'api') return handleWebApi(rest, request, response, api);
    if (door === 'commands' || door === 'actions') return handleResponseUrl(pathname, request, response, api);
    if (door === 'upload') return handleUpload(rest, request, response, api);
    response.writeHead(404).end();
  }

  const server = createServer((request, response) => {
    route(request, response).catch((error: unknown) => {
      // A bug of the stand-in must not look like an answer of Slack's.
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(error instanceof Error ? error.stack : String(error));
    });
  });
  server.on('upgrade', (request, socket, head) => {
    if (faults.outage === undefined) sockets.upgrade(request, socket, head);
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP port');
  origin = `http://127.0.0.1:${address.port}`;

  return {
    url: `${origin}/api/`,
    peopleUrl: `${origin}/people`,
    tokens,
    signingSecret,
    async close() {
      timers.close();
      world.changes.close();
      await sockets.close();
      http?.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
