import { z } from 'zod';
import { jsonMembers } from '../../clients/json-text.js';
import { jsonOf, type OutboxEvent } from './event.js';
import { SIGNATURE_HEADERS } from './signature.js';

/** A delivery by HTTP, as an event asks for it. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** A payload to be read, and its text to be passed on. */
export type Payload = Pick<OutboxEvent, 'payload' | 'payloadText'>;

/** What is wrong with a payload, in words for people. */
export type Asked<T> =
  | { readonly kind: 'asked'; readonly value: T }
  | { readonly kind: 'poison'; readonly why: string };

/** Headers that are ours to set, or that decide how the message is framed. */
const OWN_HEADERS = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'idempotency-key',
  ...SIGNATURE_HEADERS,
];

const HeaderName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not the name of a header');
// Tabs and printable ASCII: a line break would begin a header of its own.
const HeaderValue = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^[\t\x20-\x7e]*$/.test(text), 'holds other than printable ASCII');

const Url = z.url({ protocol: /^https?$/, error: 'expected a URL such as https://host/path' });

const HttpPayload = z.object({
  url: Url,
  method: z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']))
    .default('POST'),
  headers: z.record(HeaderName, HeaderValue).default({}),
  body: z.unknown().optional(),
});

const WebhookPayload = z
  .object({ url: Url.optional(), webhook_url: Url.optional(), data: z.unknown().optional() })
  .refine((payload) => payload.url !== undefined || payload.webhook_url !== undefined, {
    path: ['url'],
    error: 'expected a URL such as https://host/path, here or in webhook_url',
  });

/**
 * `http:` events: `{url, method?, headers?, body?}`. POST when no method is given; a body that is no text is sent
 * as JSON. Headers that are the processor's own (Host, Content-Length, Idempotency-Key, …) are left out.
 */
export function httpRequest({ payload, payloadText }: Payload): Asked<HttpRequest> {
  const read = HttpPayload.safeParse(payload);
  if (!read.success) return poison(read.error);
  const { url, method, body } = read.data;
  const members = jsonMembers(payloadText);
  const given = jsonMembers(members?.get('headers') ?? '{}');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(read.data.headers)) {
    const small = name.toLowerCase();
    // A number leaves with the digits that it has in the table.
    const digits = given?.get(name);
    const exact = digits === undefined || digits.startsWith('"') ? value : digits;
    if (!OWN_HEADERS.includes(small)) headers[small] = exact;
  }
  if (body === undefined || body === null) return asked({ url: new URL(url), method, headers, body: null });
  if (method === 'GET' || method === 'HEAD') {
    return { kind: 'poison', why: `body: a ${method} request has none; remove it or use POST` };
  }
  const text = typeof body === 'string' ? body : (members?.get('body') ?? '');
  headers['content-type'] ??= typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  return asked({ url: new URL(url), method, headers, body: text });
}

/** `webhook:` events: a POST of `data`, or of the whole payload, as JSON to `url` or `webhook_url`. */
export function webhookRequest({ payload, payloadText }: Payload): Asked<HttpRequest> {
  const read = WebhookPayload.safeParse(payload);
  if (!read.success) return poison(read.error);
  const { url, webhook_url, data } = read.data;
  return asked(
    jsonPost(
      url ?? webhook_url ?? '',
      data === undefined ? payloadText : (jsonMembers(payloadText)?.get('data') ?? ''),
    ),
  );
}

/** Events of a handler with a fixed address: a POST of the event as JSON. */
export function handlerRequest(url: string, event: OutboxEvent): HttpRequest {
  return jsonPost(url, jsonOf(event));
}

function jsonPost(url: string, body: string): HttpRequest {
  return { url: new URL(url), method: 'POST', headers: { 'content-type': 'application/json' }, body };
}

function asked<T>(value: T): Asked<T> {
  return { kind: 'asked', value };
}

/** Each mistake of the payload with its place. */
export function poison(error: z.ZodError): { readonly kind: 'poison'; readonly why: string } {
  const why = error.issues
    .map(({ path, message }) => `${path.join('.') || 'payload'}: ${message}`)
    .join('; ');
  return { kind: 'poison', why };
}
