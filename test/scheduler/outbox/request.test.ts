import { expect, test } from 'vitest';
import {
  httpRequest as httpRequestOf,
  type Payload,
  webhookRequest as webhookRequestOf,
} from '../../../src/scheduler/outbox/request.js';

/** A payload as it comes out of the table: as text. */
const payloadOf = (text: string): Payload => ({ payload: JSON.parse(text), payloadText: text });
const httpRequest = (payload: unknown) => httpRequestOf(payloadOf(JSON.stringify(payload)));
const webhookRequest = (payload: unknown) => webhookRequestOf(payloadOf(JSON.stringify(payload)));

const url = 'https://hooks.example.com/path';

test('an http event is a POST of JSON unless it says otherwise', () => {
  const asked = httpRequest({ url, body: { a: 1 } });
  expect(asked).toMatchObject({
    kind: 'asked',
    value: { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } },
  });
  expect(
    httpRequest({ url, method: 'put', body: 'text', headers: { 'Content-Type': 'text/csv', 'X-N': 1 } }),
  ).toMatchObject({
    value: { method: 'PUT', body: 'text', headers: { 'content-type': 'text/csv', 'x-n': '1' } },
  });
  expect(httpRequest({ url, method: 'GET' })).toMatchObject({ value: { method: 'GET', body: null } });
});

test('headers that are the processor’s own are left out', () => {
  const own = [
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'Idempotency-Key',
    'X-M10-Signature',
    'x-m10-timestamp',
    'X-M10-Signature-V2',
    'Connection',
  ];
  const asked = httpRequest({
    url,
    headers: { ...Object.fromEntries(own.map((name) => [name, '1'])), 'X-Mine': '2' },
  });
  expect(asked).toMatchObject({ value: { headers: { 'x-mine': '2' } } });
  expect(asked.kind === 'asked' && Object.keys(asked.value.headers)).toEqual(['x-mine']);
});

test.each([
  [null, 'payload'],
  ['text', 'payload'],
  [{}, 'url'],
  [{ url: 'no url' }, 'url'],
  [{ url: 'file:///etc/passwd' }, 'url'],
  [{ url: 7 }, 'url'],
  [{ url, method: 'TRACE' }, 'method'],
  [{ url, method: 'GET', body: 'x' }, 'body'],
  [{ url, headers: { 'X-A': 'b\r\nX-Evil: 1' } }, 'headers.X-A'],
  [{ url, headers: { 'X-A\r\nX-Evil': '1' } }, 'headers'],
  [{ url, headers: { 'X-A': {} } }, 'headers.X-A'],
])('a payload that cannot be sent names its mistake: %j', (payload, place) => {
  const asked = httpRequest(payload);
  expect(asked.kind).toBe('poison');
  expect(asked.kind === 'poison' && asked.why).toContain(place);
});

test('a webhook takes data, or the whole payload', () => {
  expect(webhookRequest({ webhook_url: url, data: [1] })).toMatchObject({
    value: { method: 'POST', body: '[1]' },
  });
  expect(webhookRequest({ url, more: 1 })).toMatchObject({
    value: { body: JSON.stringify({ url, more: 1 }) },
  });
  expect(webhookRequest({ data: 1 }).kind).toBe('poison');
});

const digits =
  '{"account_id":9007199254740993,"amount":1234567890.123456789,"big":12345678901234567890123,"exp":1E+400,"deep":[{"__proto__":-0.10}],"text":"\\ud800 \\"1,2\\""}';

test('what is passed on has the digits that stand in the table', () => {
  const http = httpRequestOf(
    payloadOf(`{"url":"${url}","headers":{"X-Id":9007199254740993},"body":${digits}}`),
  );
  expect(http).toMatchObject({ value: { body: digits, headers: { 'x-id': '9007199254740993' } } });
  const data = webhookRequestOf(payloadOf(`{"url":"${url}","data":${digits}}`));
  expect(data).toMatchObject({ value: { body: digits } });
  const whole = `{"webhook_url":"${url}","n":9007199254740993}`;
  expect(webhookRequestOf(payloadOf(whole))).toMatchObject({ value: { body: whole } });
});
