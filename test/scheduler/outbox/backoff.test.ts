import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryDelay } from '../../../src/scheduler/outbox/backoff.js';

const first = fc.integer({ min: 1, max: 600_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 1_000 });

test('a wait is never shorter than the first nor longer than the longest', () => {
  fc.assert(
    fc.property(first, fc.integer({ min: 1, max: 1_000 }), failures, chance, (first, times, n, by) => {
      const delay = retryDelay(n, { first, most: first * times }, by);
      expect(delay).toBeGreaterThanOrEqual(first);
      expect(delay).toBeLessThanOrEqual(first * times);
    }),
  );
});

test('waits grow with the failures, double at first, and are spread by chance even when they are longest', () => {
  const backoff = { first: 30_000, most: 3_600_000 };
  expect([1, 2, 3, 4].map((n) => retryDelay(n, backoff, 0))).toEqual([30_000, 60_000, 120_000, 240_000]);
  fc.assert(
    fc.property(first, failures, chance, (first, n, by) => {
      const settings = { first, most: first * 120 };
      expect(retryDelay(n + 1, settings, by)).toBeGreaterThanOrEqual(retryDelay(n, settings, by));
    }),
  );
  expect(retryDelay(50, backoff, 0.999)).toBeGreaterThan(retryDelay(50, backoff, 0) * 1.4);
});

test('a longest wait below the first one wins', () => {
  expect(retryDelay(1, { first: 60_000, most: 10_000 }, 0.5)).toBe(10_000);
});
