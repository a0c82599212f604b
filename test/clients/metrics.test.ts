import { createServer, type RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { findSamples, parseMetrics, readMetrics } from '../../src/clients/metrics.js';

async function serving<T>(listener: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  try {
    return await work(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/metrics`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('parseMetrics', () => {
  it('does not take a described metric for one that is there', () => {
    const { samples, malformed } = parseMetrics(
      '# HELP m10_lock_active Locks held\n# TYPE m10_lock_active gauge\n#m10_lock_active 1\n',
    );
    expect(samples).toEqual([]);
    expect(malformed).toEqual([]);
  });

  it.each([
    ['plain 1', { name: 'plain', labels: {}, value: 1 }],
    ['spaced   2.5e-3  1700000000000', { name: 'spaced', labels: {}, value: 0.0025 }],
    ['lock{name="m10:a",x="1"} 3', { name: 'lock', labels: { name: 'm10:a', x: '1' }, value: 3 }],
    ['comma{a="1",} 4', { name: 'comma', labels: { a: '1' }, value: 4 }],
    ['spaces { a = "1" , b="2" } 5', { name: 'spaces', labels: { a: '1', b: '2' }, value: 5 }],
    ['empty{} -Inf', { name: 'empty', labels: {}, value: -Infinity }],
    ['escaped{a="q\\"b\\\\s\\nn}"} 6', { name: 'escaped', labels: { a: 'q"b\\s\nn}' }, value: 6 }],
    ['d_bucket{le="+Inf"} 7 # {trace="x"} 0.5', { name: 'd_bucket', labels: { le: '+Inf' }, value: 7 }],
  ])('reads %s', (line, expected) => {
    expect(parseMetrics(line)).toEqual({ samples: [expected], malformed: [] });
  });

  it('reads NaN as a value', () => {
    expect(parseMetrics('age NaN').samples[0]?.value).toBeNaN();
  });

  it.each([
    'no_value',
    'name{a="1" 2',
    'name{a=1} 2',
    'name one',
    'name 1 2 3',
    '<html>',
    'name{a="1"} 0x10',
  ])('reports %s as malformed with its line', (line) => {
    expect(parseMetrics(`ok 1\n${line}`)).toMatchObject({
      samples: [{ name: 'ok' }],
      malformed: [{ line: 2, text: line }],
    });
  });

  it('is not fooled by labels named like properties of objects', () => {
    const { samples } = parseMetrics('m{__proto__="x",constructor="y"} 1');
    expect(findSamples(samples, 'm', { constructor: 'y' })).toHaveLength(1);
    expect(findSamples(samples, 'm', { toString: 'z' })).toEqual([]);
  });
});

it('finds samples by name and labels', () => {
  const { samples } = parseMetrics('a{x="1",y="1"} 1\na{x="2"} 2\nab{x="1"} 3');
  expect(findSamples(samples, 'a').map((sample) => sample.value)).toEqual([1, 2]);
  expect(findSamples(samples, 'a', { x: '1' }).map((sample) => sample.value)).toEqual([1]);
});

describe('readMetrics', () => {
  it('fetches and parses a page', async () => {
    const result = await serving(
      (_request, response) => response.end('m10_lock_active{lock_name="é"} 1\n'),
      (url) => readMetrics(url, 5_000),
    );
    expect(result).toMatchObject({ kind: 'read', samples: [{ labels: { lock_name: 'é' } }] });
  });

  it('reports a refusal, a redirect, silence, and no server', async () => {
    const refused = await serving(
      (_request, response) => response.writeHead(503).end('warming up'),
      (url) => readMetrics(url, 5_000),
    );
    expect(refused).toEqual({ kind: 'refused', status: 503, message: 'warming up' });
    const moved = await serving(
      (_request, response) => response.writeHead(302, { location: '/login' }).end(),
      (url) => readMetrics(url, 5_000),
    );
    expect(moved).toMatchObject({ kind: 'refused', status: 302 });
    const silent = await serving(
      () => {},
      (url) => readMetrics(url, 100),
    );
    expect(silent).toEqual({ kind: 'unreachable', message: 'No answer within 100 ms.' });
    expect(await readMetrics('http://127.0.0.1:1/metrics', 5_000)).toMatchObject({ kind: 'unreachable' });
    expect(await readMetrics('not a url', 5_000)).toMatchObject({ kind: 'unreachable' });
  });
});
