import { createHmac, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { type JsonObject, stringAt, tryParse } from '../json.js';
import type { EnvelopeKind, Outcome, Retry, Transport } from './transport.js';

/** Delivery of signed requests to the app's own address. */
export interface HttpTransport extends Transport {
  /** Sends the challenge that Slack sends before it accepts an address; true when it came back. */
  verify(): Promise<boolean>;
  close(): void;
}

interface Reply {
  status: number;
  body: string;
  noRetry: boolean;
}

/**
 * The signature of a request body.
 *
 * @param timestamp - seconds since 1970
 */
export function sign(secret: string, timestamp: number, body: string): string {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
}

function encode(kind: EnvelopeKind, payload: JsonObject): { type: string; body: string } {
  if (kind === 'events_api') return { type: 'application/json', body: JSON.stringify(payload) };
  const form = new URLSearchParams();
  if (kind === 'interactive') form.set('payload', JSON.stringify(payload));
  else for (const [name, value] of Object.entries(payload)) form.set(name, String(value));
  return { type: 'application/x-www-form-urlencoded', body: form.toString() };
}

/**
 * @param url - the app's request address; plain http, since it is on this machine
 * @param ackTimeoutMs - how long the app may take (Slack: 3,000 ms)
 */
export function createHttpTransport(
  url: string,
  options: { signingSecret: string; token: string; now: () => number; ackTimeoutMs: number },
): HttpTransport {
  const agent = new Agent({ keepAlive: true });

  function post(type: string, body: string, retry: Retry | undefined): Promise<Reply> {
    const timestamp = Math.floor(options.now() / 1000);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        {
          method: 'POST',
          agent,
          signal: AbortSignal.timeout(options.ackTimeoutMs),
          headers: {
            'content-type': type,
            'content-length': Buffer.byteLength(body),
            'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
            'x-slack-request-timestamp': String(timestamp),
            'x-slack-signature': sign(options.signingSecret, timestamp, body),
            ...(retry === undefined
              ? {}
              : { 'x-slack-retry-num': String(retry.num), 'x-slack-retry-reason': retry.reason }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString('utf8'),
              noRetry: response.headers['x-slack-no-retry'] === '1',
            }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  return {
    async send(kind, payload, retry): Promise<Outcome> {
      const { type, body } = encode(kind, payload);
      try {
        const reply = await post(type, body, retry);
        if (reply.status < 200 || reply.status > 299) {
          return { kind: 'refused', reason: 'http_error', noRetry: reply.noRetry };
        }
        const parsed = tryParse(reply.body);
        // A command may be answered with bare text.
        return { kind: 'acknowledged', body: parsed ?? (reply.body === '' ? {} : { text: reply.body }) };
      } catch (error) {
        const slow = error instanceof Error && error.name === 'AbortError';
        return slow ? { kind: 'timeout' } : { kind: 'refused', reason: 'connection_failed', noRetry: false };
      }
    },
    async verify() {
      const challenge = randomUUID();
      const body = JSON.stringify({ token: options.token, challenge, type: 'url_verification' });
      try {
        const reply = await post('application/json', body, undefined);
        return (
          reply.status === 200 &&
          (reply.body === challenge || stringAt(tryParse(reply.body), 'challenge') === challenge)
        );
      } catch {
        return false;
      }
    },
    close: () => agent.destroy(),
  };
}
