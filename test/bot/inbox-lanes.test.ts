import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readArrival } from '../../src/bot/inbound.js';
import { createInboxWorker, type InboxWorker } from '../../src/bot/inbox-worker.js';
import { createInbox, type InboxItem } from '../../src/store/inbox.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';

let state: StateDatabase;
let workers: InboxWorker[] = [];
let begun: string[] = [];
let ended: string[] = [];
beforeAll(async () => {
  state = await stateDatabase();
});
afterAll(() => state.drop());
beforeEach(async () => {
  [workers, begun, ended] = [[], [], []];
  await state.pool.query('TRUNCATE m10bot.inbox');
});
afterEach(() => Promise.all(workers.map((worker) => worker.stop())));

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Two replicas over one inbox; what an item does is told by its payload. */
function replicas(handle: (text: string, item: InboxItem) => Promise<void>, leaseMs = 30_000): void {
  for (const owner of ['one', 'two']) {
    const worker = createInboxWorker({
      inbox: createInbox(state.pool, { firstDelayMs: 50 }),
      owner,
      everyMs: 40,
      leaseMs,
      handle: async (item) => {
        const text = String(item.payload);
        begun.push(text);
        await handle(text, item);
        ended.push(text);
      },
      onDead: async () => undefined,
      log,
    });
    workers.push(worker);
    worker.start();
  }
}

const inbox = () => createInbox(state.pool);
const receive = (text: string, lane: string | null) =>
  inbox().receive({ key: `${text}-${Math.random()}`, kind: 'command', payload: text, lane });
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 30_000, interval: 20 });

/** A promise that is kept when the test says so. */
function heldUp(): { promise: Promise<void>; release(): void } {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

it('what one person asks for in one channel is handled in the order in which it came', async () => {
  const sent = inbox();
  const texts = Array.from({ length: 12 }, (_, i) => `c${i}`);
  // Together, as a burst arrives: one statement stores them, in an order of its own.
  await Promise.all(
    texts.map((text, i) =>
      sent.receive({ key: `k${(i * 7) % 12}`, kind: 'command', payload: text, lane: 'C:alice' }),
    ),
  );
  replicas(async (text) => {
    await sleep(text === 'c0' ? 150 : 5);
  });
  await until(() => ended.length === 12);
  expect(begun).toEqual(texts);
  expect(ended).toEqual(texts);
});

it('others, and what has no lane, wait for nobody', async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await receive('slow plan', 'C:alice');
  await receive('her next', 'C:alice');
  await receive('stop', null);
  await receive('bob', 'C:bob');
  replicas((text) => (text === 'slow plan' ? held : Promise.resolve()));
  await until(() => ended.includes('stop') && ended.includes('bob'));
  expect(begun).not.toContain('her next');
  release();
  await until(() => ended.includes('her next'));
  expect(ended.indexOf('slow plan')).toBeLessThan(ended.indexOf('her next'));
});

it('what fails holds up nobody, and comes again', async () => {
  let failures = 0;
  await receive('broken', 'C:alice');
  await receive('after it', 'C:alice');
  replicas(async (text) => {
    if (text !== 'broken') return;
    failures += 1;
    if (failures < 3) throw new Error('the database was away');
  });
  await until(() => ended.includes('after it'));
  await until(() => ended.includes('broken'));
});

it('what hangs holds up nobody for ever', async () => {
  await receive('hangs', 'C:alice');
  await receive('waits', 'C:alice');
  await state.pool.query(`UPDATE m10bot.inbox SET received_at = received_at - interval '59 s'`);
  const hangs = heldUp();
  replicas((text) => (text === 'hangs' ? hangs.promise : Promise.resolve()));
  await until(() => ended.includes('waits'));
  expect(ended).not.toContain('hangs');
  hangs.release();
});

it('orders share a lane by person and channel, signs by message too; a stop and a slip have none', () => {
  const arrival = (text: string, user = 'UALICE') =>
    readArrival(
      { command: '/m10', text, user_id: user, channel_id: 'CINC', trigger_id: `${text}${user}` },
      'CINC',
    );
  expect(arrival('next')?.lane).toBe('CINC:UALICE');
  expect(arrival('resume')?.lane).toBe(arrival('next')?.lane);
  expect(arrival('next', 'UBOB')?.lane).toBe('CINC:UBOB');
  expect(arrival('stop now')?.lane).toBeNull();
  expect(arrival('\u200bStop!')?.lane).toBeNull();
  expect(arrival('nonsense')?.lane).toBeNull();
  const sign = (type: string, reaction: string, user = 'UBOB', ts = '1.2') => {
    const event = { type, user, reaction, item: { type: 'message', channel: 'CINC', ts } };
    return readArrival({ event_id: 'E1', event }, 'CINC');
  };
  const given = sign('reaction_added', 'white_check_mark');
  // What one person gives and takes back on one message is handled in order; other people's and messages' is not.
  expect(sign('reaction_removed', 'white_check_mark')?.lane).toBe(given?.lane);
  expect(sign('reaction_added', '+1', 'UCAROL')?.lane).not.toBe(given?.lane);
  expect(sign('reaction_added', '+1', 'UBOB', '1.3')?.lane).not.toBe(given?.lane);
  expect(sign('reaction_added', 'octagonal_sign')).toMatchObject({ lane: null, queue: 'stop-sign' });
  expect(sign('reaction_removed', 'octagonal_sign')?.queue).toBe('reaction');
  expect([arrival('stop')?.queue, arrival('resume')?.queue, given?.queue]).toEqual([
    'stop',
    'order',
    'reaction',
  ]);
});

it('a stop is handled while every other queue is full of what hangs', async () => {
  const kinds = ['command', 'button', 'skip', 'reaction', 'stop-sign'];
  for (const kind of kinds)
    for (let i = 0; i < 30; i += 1)
      await inbox().receive({ key: `${kind}-${i}`, kind, payload: `${kind} ${i}`, lane: null });
  await inbox().receive({ key: 'stop', kind: 'stop', payload: 'stop', lane: null });
  const others = heldUp();
  replicas((text) => (text === 'stop' ? Promise.resolve() : others.promise));
  await until(() => ended.includes('stop'));
  expect(ended).toEqual(['stop']);
  // Much still waits: others take what a process has no room for.
  expect(begun.length).toBeLessThan(kinds.length * 30);
  others.release();
  await until(() => ended.length === kinds.length * 30 + 1);
});

it('what hangs gives its slot back with its lease', async () => {
  for (let i = 0; i < 40; i += 1)
    await inbox().receive({ key: `hangs-${i}`, kind: 'reaction', payload: `hangs ${i}`, lane: null });
  await inbox().receive({ key: 'after', kind: 'reaction', payload: 'after', lane: null });
  const hangs = heldUp();
  replicas((text) => (text === 'after' ? Promise.resolve() : hangs.promise), 100);
  await until(() => ended.includes('after'));
  expect(ended).toEqual(['after']);
  hangs.release();
});
