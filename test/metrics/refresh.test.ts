import { expect, test } from 'vitest';
import { createRefresher } from '../../src/metrics/refresh.js';

function setUp(read: () => Promise<() => void>, deadlineMs = 5_000) {
  let now = 0;
  const failures: unknown[] = [];
  const refresher = createRefresher(read, {
    keepMs: 5_000,
    deadlineMs,
    onFailure: (error) => failures.push(error),
    now: () => now,
  });
  return {
    ...refresher,
    failures,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('many readers cost as much as one, and what was read stays good for a while', async () => {
  let reads = 0;
  let shown = 0;
  const { refresh, pass } = setUp(async () => {
    reads += 1;
    return () => {
      shown += 1;
    };
  });
  await Promise.all([refresh(), refresh(), refresh()]);
  pass(4_999);
  await refresh();
  expect([reads, shown]).toEqual([1, 1]);
  pass(1);
  await refresh();
  expect([reads, shown]).toEqual([2, 2]);
});

test('a read that is late is a failure, is not shown, and is not joined by a second one', async () => {
  let reads = 0;
  const shown: number[] = [];
  let answer = () => {};
  const { refresh, pass, failures } = setUp(() => {
    reads += 1;
    const mine = reads;
    const show = () => void shown.push(mine);
    return mine > 1 ? Promise.resolve(show) : new Promise((resolve) => (answer = () => resolve(show)));
  }, 10);
  await refresh();
  expect(String(failures[0])).toContain('no answer within 10 ms');
  pass(5_000);
  await refresh();
  expect(String(failures[1])).toContain('has not ended yet');
  expect(reads).toBe(1);
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  pass(5_000);
  await refresh();
  expect([reads, shown, failures.length]).toEqual([2, [2], 2]);
});

test('a read that throws is told, and tried again when its time has come', async () => {
  let broken = true;
  const { refresh, pass, failures } = setUp(async () => {
    if (broken) throw new Error('refused');
    return () => {};
  });
  await refresh();
  await refresh();
  expect(failures.map(String)).toEqual(['Error: refused']);
  broken = false;
  pass(5_000);
  await refresh();
  expect(failures).toHaveLength(1);
});
