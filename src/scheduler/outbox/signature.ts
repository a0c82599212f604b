import { createHmac } from 'node:crypto';

/** Headers that only the processor sets. */
export const SIGNATURE_HEADERS = ['x-m10-timestamp', 'x-m10-signature', 'x-m10-signature-v2'];

/**
 * Headers that sign a request with HMAC-SHA256. The second version covers what the first leaves open: with the first
 * alone, a signed request that somebody has read is as good at another path, method, host or idempotency key. The first
 * goes on beside it, for receivers that check it.
 *
 * The second signs `v2`, the timestamp, the method, the host as in the Host header, the path with its query, the
 * idempotency key and the body, each of them but the last followed by a line feed. None of those can hold one.
 * @param key the idempotency key that the request carries
 * @param now ms since the epoch
 */
export function signatureHeaders(
  secret: string,
  { method, url, body }: { readonly method: string; readonly url: URL; readonly body: string | null },
  key: string,
  now: number,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const sign = (text: string) => `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;
  const sent = body ?? '';
  const head = ['v2', timestamp, method, url.host, `${url.pathname}${url.search}`, key];
  return {
    'x-m10-timestamp': timestamp,
    'x-m10-signature': sign(`${timestamp}.${sent}`),
    'x-m10-signature-v2': sign([...head, sent].join('\n')),
  };
}
