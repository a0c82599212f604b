import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCursors } from '../../src/store/cursors.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
beforeAll(async () => {
  database = await stateDatabase();
});
afterAll(() => database.drop());

describe('cursors', () => {
  it('move from where they are, and only forward', async () => {
    const cursors = createCursors(database.pool);
    expect(await cursors.get('publisher')).toBe(0);
    expect(await cursors.advance('publisher', 5, 6)).toBe(false);
    expect(await cursors.advance('publisher', 0, 4)).toBe(true);
    expect(await cursors.advance('publisher', 0, 9)).toBe(false);
    expect(await cursors.advance('publisher', 4, 6)).toBe(true);
    expect(await cursors.get('publisher')).toBe(6);
    await expect(cursors.advance('publisher', 6, 6)).rejects.toThrow(RangeError);
  });

  it('let one of two readers advance', async () => {
    const cursors = createCursors(database.pool);
    for (const from of [0, 3]) {
      const moved = await Promise.all([1, 2, 3].map(() => cursors.advance('race', from, from + 3)));
      expect(moved.filter(Boolean)).toHaveLength(1);
    }
  });
});
