import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPosted } from '../../src/store/posted.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
beforeAll(async () => {
  database = await stateDatabase();
});
afterAll(() => database.drop());

describe('posted messages', () => {
  it('are found by key, replaced, and listed by prefix', async () => {
    const posted = createPosted(database.pool);
    const card = { key: 'run:7:card', channel: 'C1', ts: '1700000000.000100', hash: 'a', position: 3 };
    expect(await posted.get(card.key)).toBeUndefined();
    await posted.put(card);
    await posted.put({ ...card, hash: 'b', position: 2 ** 40 });
    expect(await posted.at('C1', card.ts)).toMatchObject({ key: card.key, hash: 'b' });
    expect(await posted.at('C2', card.ts)).toBeUndefined();
    expect(await posted.get(card.key)).toEqual({
      ...card,
      hash: 'b',
      position: 2 ** 40,
      updatedAt: expect.any(Date),
    });
    await posted.put({ ...card, key: 'run:7:gate:1' });
    await posted.put({ ...card, key: 'run:70:card' });
    await posted.put({ ...card, key: 'run_7:card' });
    const keys = async (prefix: string) => (await posted.list(prefix)).map((message) => message.key);
    expect(await keys('run:7:')).toEqual(['run:7:card', 'run:7:gate:1']);
    expect(await keys('run_7')).toEqual(['run_7:card']);
    expect(await keys('%')).toEqual([]);
  });
});
