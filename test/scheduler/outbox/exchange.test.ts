import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { exchange } from '../../../src/scheduler/outbox/exchange.js';
import { freePort } from '../../../src/store/freePort.js';

let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let agent: Agent;
let arrived: string[];

beforeAll(async () => {
  server = createServer((request, response) => {
    arrived.push(`${request.method} ${request.url}`);
    request.resume();
    request.on('end', () => answer(request, response));
  });
  const port = await freePort();
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  base = `http://127.0.0.1:${port}`;
});
beforeEach(() => {
  agent = new Agent({ connections: 1, pipelining: 1 });
  arrived = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function post(path: string, kept: (status: number) => number = () => 0) {
  return exchange(agent, { url: new URL(path, base), method: 'POST', headers: {}, body: '{}', kept });
}

test('an answer whose body nobody wants, over a connection that is used again', async () => {
  const ports = new Set<number | undefined>();
  answer = (request, response) => {
    ports.add(request.socket.remotePort);
    response.end('x'.repeat(1_000));
  };
  for (const path of ['/a?b=1', '/c']) {
    expect(await post(path).answer).toEqual({ status: 200, location: null, text: '' });
  }
  expect(arrived).toEqual(['POST /a?b=1', 'POST /c']);
  expect(ports.size).toBe(1);
});

test('the beginning of a body that is wanted, and where a redirect points to', async () => {
  answer = (_request, response) => {
    response.writeHead(302, { location: '/elsewhere' });
    response.end('moved away');
  };
  const { answer: got } = post('/', () => 5);
  expect(await got).toEqual({ status: 302, location: '/elsewhere', text: 'moved' });
});

test('a body without an end is not waited for', async () => {
  answer = (_request, response) => {
    const more = () => {
      if (!response.destroyed) response.write('x'.repeat(32 * 1024), () => setImmediate(more));
    };
    more();
  };
  expect(await post('/').answer).toMatchObject({ status: 200 });
});

test('a refusal that breaks off is still one; a success that breaks off is not', async () => {
  answer = (request, response) => {
    response.writeHead(request.url === '/refused' ? 500 : 200, { 'content-length': '100' });
    response.write('because', () => response.destroy());
  };
  const kept = (status: number) => (status === 500 ? 100 : 0);
  expect(await post('/refused', kept).answer).toMatchObject({ status: 500 });
  await expect(post('/fine', kept).answer).rejects.toThrow();
});

test('ended on the way, it rejects at once and its connection is closed', async () => {
  const closed = new Promise<void>((done) => {
    answer = (request) => request.socket.once('close', done);
  });
  const going = post('/');
  const refused = expect(going.answer).rejects.toThrow('enough waited');
  await expect.poll(() => arrived.length).toBe(1);
  going.end(new Error('enough waited'));
  await refused;
  await closed;
});

test('ended before there was a connection for it, it is never sent', async () => {
  let release = () => {};
  answer = (_request, response) => {
    release = () => response.end();
  };
  const first = post('/first');
  await expect.poll(() => arrived.length).toBe(1);
  const second = post('/second');
  second.end(new Error('not any more'));
  await expect(second.answer).rejects.toThrow('not any more');
  release();
  await first.answer;
  answer = (_request, response) => {
    response.end();
  };
  await post('/third').answer;
  expect(arrived).toEqual(['POST /first', 'POST /third']);
});

test('nobody there', async () => {
  const url = new URL(`http://127.0.0.1:${await freePort()}/`);
  const options = { url, method: 'POST', headers: {}, body: null, kept: () => 0 } as const;
  await expect(exchange(agent, options).answer).rejects.toThrow('ECONNREFUSED');
});
