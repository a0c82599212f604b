import { afterAll, beforeAll, expect, test } from 'vitest';
import { benchHttp } from '../../bench/jobs/http.js';
import { benchIdle } from '../../bench/jobs/idle.js';
import { benchLatency } from '../../bench/jobs/latency.js';
import { benchLocks } from '../../bench/jobs/locks.js';
import { benchOutbox } from '../../bench/jobs/outbox.js';
import { benchReconcile } from '../../bench/jobs/reconcile.js';
import { createWorld, type World } from '../../bench/world.js';
import { compiled } from '../support/compiled.js';

// The benchmarks of the jobs with next to nothing to do: what they print is no figure, but nobody should find out
// months later that one does not start any more. The peers stay out, since they would have to be installed.

let world: World;
beforeAll(async () => {
  world = await createWorld(await compiled());
});
afterAll(async () => {
  await world?.stop();
});

/** The first cells of a table's rows, without its head. */
function rowsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) => line.split('|')[1]?.trim() ?? '');
}

test('the outbox is drained beside its limit, and over a longer run', async () => {
  const text = await benchOutbox(world, 1, { events: 100, batches: [10], long: 200, peers: false });
  expect(rowsOf(text)).toEqual(['batch', '10', 'batch', '10']);
  expect(text).not.toContain('NaN');
});

test('deliveries by HTTP are measured beside plain requests', async () => {
  const size = { receivers: [{ delayMs: 5, events: 20 }], concurrencies: [4] };
  const text = await benchHttp(world, 1, size);
  expect(rowsOf(text)).toEqual(['receiver', '5 ms, 4 at once']);
  expect(text).not.toContain('NaN');
});

test('locks are acquired, released and taken over', async () => {
  const text = await benchLocks(world, 1, { pairs: 20, ttls: [1] });
  expect(rowsOf(text)).toEqual(['', 'acquire and release, pairs/s', 'TTL', '1 s']);
  expect(text).not.toContain('NaN');
});

test('dead letters are reconciled beside the script', async () => {
  const text = await benchReconcile(world, 1, { messages: 50 });
  expect(text).not.toContain('NaN');
});

test('a bot with jobs switched on is watched while it has nothing to do, and while it is woken', async () => {
  const [idle, latency] = await Promise.all([
    benchIdle(world, 1, { minutes: 0.02 }),
    benchLatency(world, 1, { events: 2, everyMs: 10, schedule: '* * * * * *' }),
  ]);
  expect(rowsOf(idle)).toEqual(['', 'jobs switched on', 'no jobs']);
  expect(rowsOf(latency)).toHaveLength(3);
  expect(`${idle}${latency}`).not.toContain('NaN');
});
