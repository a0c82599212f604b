import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Received, usePost } from './post.js';

const post = usePost();

/** Makes what waits for its retry due. */
const due = () =>
  post.sql(
    "update m10_recovery.outbox set next_retry_at = now() - interval '1 second' where processed_at is null and next_retry_at is not null",
  );

test('a body is signed with its time, and without a secret nothing is', async () => {
  const hook = await post.receiver();
  const allow = [`127.0.0.1:${hook.port}`];
  await post.publish('http:a', { url: hook.url, body: 'hello' });
  await post.run({ config: { http: { allow } } });
  await post.publish('http:a', {
    url: hook.url,
    body: 'hello',
    headers: { 'X-M10-Signature': 'sha256=forged' },
  });
  await post.run({ config: { http: { allow, secret: 'a secret of some length' } } });
  const [plain, signed] = hook.got;
  expect(plain?.headers).not.toHaveProperty('x-m10-signature');
  const timestamp = String(signed?.headers['x-m10-timestamp']);
  const expected = createHmac('sha256', 'a secret of some length').update(`${timestamp}.hello`).digest('hex');
  expect(signed?.headers['x-m10-signature']).toBe(`sha256=${expected}`);
  expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(120);
});

/** The receiver's side is the very example that the documentation gives. */
async function documentedCheck(): Promise<(secret: string, request: object, body: Buffer) => boolean> {
  const [, example = ''] =
    /```js\n([\s\S]*?isGenuine[\s\S]*?)```/.exec(readFileSync('docs/jobs.md', 'utf8')) ?? [];
  const module: unknown = await import(
    `data:text/javascript,${encodeURIComponent(`${example}\nexport { isGenuine };`)}`
  );
  if (typeof module !== 'object' || module === null || !('isGenuine' in module))
    throw new Error('no example');
  const { isGenuine } = module;
  if (typeof isGenuine !== 'function') throw new Error('no function');
  return (secret, request, body) => isGenuine(secret, request, body) === true;
}

test('the second signature is good for that request alone', async () => {
  const hook = await post.receiver();
  const secret = 'a secret of some length';
  const config = { http: { allow: ['127.0.0.1'], secret } };
  await post.publish('http:a', {
    url: `${hook.url}/orders/new?dry=1&x=ä`,
    method: 'PUT',
    body: 'a\nbody ✓',
    headers: { 'X-M10-Signature-V2': 'sha256=forged' },
  });
  await post.publish('webhook:b', { url: hook.url, data: { a: 1 } });
  await post.run({ config });
  expect(hook.got.length).toBe(2);
  const isGenuine = await documentedCheck();
  const genuine = (given: string, { path, body, ...request }: Received) =>
    isGenuine(given, { ...request, url: path }, Buffer.from(body));
  for (const request of hook.got) {
    expect(genuine(secret, request)).toBe(true);
    expect(genuine('another secret of some length', request)).toBe(false);
    const { headers } = request;
    // What is read on the way cannot be used for anything else.
    for (const forged of [
      { ...request, method: 'DELETE' },
      { ...request, path: '/admin' },
      { ...request, body: `${request.body}!` },
      { ...request, headers: { ...headers, host: 'elsewhere.example.com' } },
      { ...request, headers: { ...headers, 'x-m10-timestamp': '1' } },
      { ...request, headers: { ...headers, 'idempotency-key': '999' } },
    ])
      expect(genuine(secret, forged)).toBe(false);
  }
});

test.each([
  [200, true],
  [204, true],
  [409, true],
  [422, true],
  [301, false],
  [307, false],
  [304, false],
  [400, false],
  [404, false],
  [429, false],
  [500, false],
])('status %i is success: %s', async (status, success) => {
  const hook = await post.receiver();
  const elsewhere = await post.receiver();
  hook.answer = (_, response) =>
    void response.writeHead(status, { location: `${elsewhere.url}/there` }).end();
  const id = await post.publish('http:a', { url: hook.url });
  await post.run({ config: { http: { allow: ['127.0.0.1'] } } });
  const row = await post.row(id);
  expect(row.processed_at !== null).toBe(success);
  expect(elsewhere.got).toEqual([]);
  if (status >= 301 && status <= 307) expect(row.last_error).toMatch(/redirects are not followed/);
});

test('a name is resolved once, and nothing is sent when it leads inside', async () => {
  const hook = await post.receiver();
  const outside = { address: '93.184.216.34', family: 4 };
  const inside = { address: '127.0.0.1', family: 4 };
  const asked: string[] = [];
  // The answer that is judged is the one that is used: a second look-up would be asked here too.
  const resolve = async (host: string) => {
    asked.push(host);
    return host === 'rebound.test' ? [outside, inside] : [inside];
  };
  const at = (host: string) => ({ url: `http://${host}:${hook.port}/` });
  const rebound = await post.publish('http:a', at('rebound.test'));
  const direct = await post.publish('http:a', at('inside.test'));
  const local = await post.publish('http:a', at('localhost'));
  const listed = { http: { allow: ['rebound.test', 'inside.test', 'localhost'] } };
  const result = await post.run({ config: listed, deps: { resolve } });
  expect(result.counts).toEqual({ delivered: 1, retried: 2, deadLettered: 0 });
  expect(hook.got.map(({ id }) => id)).toEqual([local]);
  expect(asked.sort()).toEqual(['inside.test', 'localhost', 'rebound.test']);
  expect((await post.row(rebound)).last_error).toMatch(/rebound\.test leads to 127\.0\.0\.1, this machine/);
  expect((await post.row(direct)).last_error).toMatch(/inside\.test leads to 127\.0\.0\.1/);

  await due();
  const both = { http: { allow: ['inside.test', `127.0.0.1:${hook.port}`] } };
  await post.run({ config: both, deps: { resolve } });
  expect(hook.got.map(({ id }) => id)).toEqual([local, direct]);
});

test('a receiver that is slow, silent, endless or gone costs its own event and no other', async () => {
  const [slow, endless, good] = [await post.receiver(), await post.receiver(), await post.receiver()];
  slow.answer = () => new Promise(() => {});
  endless.answer = async (_, response) => {
    response.writeHead(500);
    for (let n = 0; n < 1_000 && !response.destroyed; n += 1) response.write('x'.repeat(65_536));
  };
  const silent = await post.publish('http:a', { url: slow.url });
  const long = await post.publish('http:a', { url: endless.url });
  const gone = await post.publish('http:a', { url: 'http://127.0.0.1:9/' });
  for (let n = 0; n < 50; n += 1) await post.publish('http:a', { url: good.url });
  const result = await post.run({
    config: { http: { allow: ['127.0.0.1'], concurrency: 2, timeout: '2s' } },
  });
  expect(result.counts).toEqual({ delivered: 50, retried: 3, deadLettered: 0 });
  expect((await post.row(silent)).last_error).toBe(`127.0.0.1:${slow.port} did not answer within 2 s.`);
  expect(String((await post.row(long)).last_error).length).toBeLessThan(600);
  expect((await post.row(gone)).last_error).toMatch(/127\.0\.0\.1:9 could not be reached: .*ECONNREFUSED/);
});

test('no more than the configured number is under way, and a place that is free is used at once', async () => {
  const hook = await post.receiver();
  const order: string[] = [];
  hook.answer = async ({ body }, response) => {
    // The first one hangs until all others have been through the second place.
    if (body === 'first') while (order.length < 20) await new Promise((resolve) => setTimeout(resolve, 10));
    order.push(body);
    response.end();
  };
  await post.publish('http:a', { url: hook.url, body: 'first' });
  for (let n = 0; n < 20; n += 1) await post.publish('http:a', { url: hook.url, body: String(n) });
  await post.run({ config: { http: { allow: ['127.0.0.1'], concurrency: 2 } } });
  expect(order.at(-1)).toBe('first');
  expect(hook.most).toBe(2);
});

test('no credential comes back in an error', async () => {
  const hook = await post.receiver();
  hook.answer = ({ headers, path }, response) =>
    void response.writeHead(400).end(`bad: ${JSON.stringify(headers)} ${path} and masked-by-the-bot`);
  const id = await post.publish('http:a', {
    url: `${hook.url}/services/T0/B0/abcdefgh?token=queried-token`,
    headers: { Authorization: 'Bearer very-secret-token' },
  });
  await post.run({
    config: { http: { allow: ['127.0.0.1'], secret: 'a secret of some length' } },
    deps: { redact: (text) => text.replace('masked-by-the-bot', '…') },
  });
  const { last_error: error } = await post.row(id);
  expect(error).toMatch(/answered 400: bad/);
  expect(error).not.toMatch(/very-secret|queried-token|abcdefgh|masked-by/);
});
