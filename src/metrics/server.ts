import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { ConfigError } from '../config.js';
import { exposition } from './exposition.js';
import type { Part, Readiness } from './readiness.js';
import type { Refresher } from './refresh.js';

export interface MetricsServerDeps {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Brought up to date before each answer. */
  readonly refreshers: readonly Refresher[];
  readonly readiness: Readiness;
  readonly log: { error(fields: object, message: string): void };
}

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`, to whoever can reach it: it shows names and figures, no secrets.
 * @throws ConfigError when it cannot listen there
 */
export async function startMetricsServer(deps: MetricsServerDeps): Promise<MetricsServer> {
  const { registry, refreshers, readiness, log } = deps;

  async function answer(path: string): Promise<Answer> {
    switch (path) {
      case '/metrics':
        await Promise.all(refreshers.map((refresher) => refresher.refresh()));
        return { status: 200, type: registry.contentType, body: await exposition(registry) };
      case '/healthz':
        return { status: 200, type: plain, body: 'alive\n' };
      case '/readyz': {
        const parts = await readiness();
        const status = parts.every((part) => part.ready) ? 200 : 503;
        return { status, type: 'application/jsonl; charset=utf-8', body: parts.map(line).join('') };
      }
      default:
        return { status: 404, type: plain, body: 'not found; there are /metrics, /healthz and /readyz\n' };
    }
  }

  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      send(response, { status: 405, type: plain, body: 'only GET and HEAD\n' }, false);
      return;
    }
    const head = request.method === 'HEAD';
    answer(path).then(
      (found) => send(response, found, head),
      (error: unknown) => {
        log.error({ error, path }, 'a request for metrics could not be answered');
        send(response, { status: 500, type: plain, body: 'it could not be read; the log says why\n' }, head);
      },
    );
  });
  await listen(server, deps.host, deps.port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : deps.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const plain = 'text/plain; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function send(response: ServerResponse, { status, type, body }: Answer, head: boolean): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(head ? undefined : body);
}

const line = (part: Part) => `${JSON.stringify(part)}\n`;

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new ConfigError([problem(code, host, port, String(error))]);
  }
}

function problem(code: string, host: string, port: number, message: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `environment METRICS_PORT: port ${port} of ${host} is taken; give another one, or 0 for any free one`;
    case 'EACCES':
      return `environment METRICS_PORT: port ${port} may not be opened by this user; give one above 1023`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `environment METRICS_HOST: expected an address of this machine, found ${JSON.stringify(host)}`;
    default:
      return `environment METRICS_PORT: port ${port} of ${host} cannot be opened: ${message}`;
  }
}
