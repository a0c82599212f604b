import { expect, it } from 'vitest';
import { nextRunNumber } from '../../src/store/sequences.js';
import { stateDatabase } from './state.js';

it('numbers runs from 1, each number once', async () => {
  const database = await stateDatabase();
  expect(await nextRunNumber(database.pool)).toBe(1);
  const numbers = await Promise.all(Array.from({ length: 10 }, () => nextRunNumber(database.pool)));
  expect(numbers.sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await database.drop();
});
