import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLeases, type Leases } from '../../src/store/leases.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let leases: Leases;
beforeAll(async () => {
  database = await stateDatabase();
  leases = createLeases(database.pool);
});
afterAll(() => database.drop());

const expire = (name: string) =>
  database.pool.query('UPDATE m10bot.leases SET expires_at = now() WHERE name = $1', [name]);

describe('leases', () => {
  it('are held by one owner, whom the others are told', async () => {
    const granted = await leases.acquire('held', 'a', 60_000);
    expect(granted).toMatchObject({ kind: 'granted', epoch: 1, expiresAt: expect.any(Date) });
    expect(await leases.acquire('held', 'b', 60_000)).toMatchObject({ kind: 'refused', heldBy: 'a' });
    expect(await leases.list()).toEqual([
      expect.objectContaining({ name: 'held', owner: 'a', epoch: 1, acquiredAt: expect.any(Date) }),
    ]);
    expect(await leases.release('held', 'b', 1)).toBe(false);
    expect(await leases.release('held', 'a', 1)).toBe(true);
    expect(await leases.list()).toEqual([]);
    expect(await leases.acquire('held', 'b', 60_000)).toMatchObject({ kind: 'granted', epoch: 2 });
    await leases.release('held', 'b', 2);
  });

  it('keep the epoch while the owner holds on, and count up after an expiry', async () => {
    const epochs: unknown[] = [];
    const take = async (owner: string) => epochs.push(await leases.acquire('epochs', owner, 60_000));
    await take('a');
    await take('a');
    await expire('epochs');
    await take('a');
    await expire('epochs');
    await take('b');
    expect(epochs).toMatchObject([{ epoch: 1 }, { epoch: 1 }, { epoch: 2 }, { epoch: 3 }]);
  });

  it('are renewed by owner and epoch until they expire', async () => {
    await leases.acquire('renewed', 'a', 1_000);
    expect(await leases.renew('renewed', 'b', 1, 60_000)).toBe(false);
    expect(await leases.renew('renewed', 'a', 2, 60_000)).toBe(false);
    expect(await leases.renew('renewed', 'a', 1, 60_000)).toBe(true);
    await expire('renewed');
    expect(await leases.renew('renewed', 'a', 1, 60_000)).toBe(false);
    expect(await leases.release('renewed', 'a', 1)).toBe(false);
  });

  it('go to one of ten that ask at once', async () => {
    await leases.acquire('race', 'before', 60_000);
    await expire('race');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => leases.acquire('race', `r${n}`, 60_000)),
    );
    expect(answers.filter((answer) => answer.kind === 'granted')).toEqual([
      expect.objectContaining({ epoch: 2 }),
    ]);
  });
});
