import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLeaseKeeper } from '../../src/store/keeper.js';
import { createLeases, type Leases } from '../../src/store/leases.js';
import { until } from './poll.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let leases: Leases;
beforeAll(async () => {
  database = await stateDatabase();
  leases = createLeases(database.pool);
});
afterAll(() => database.drop());

function keep(name: string, ttlMs: number, over: Leases = leases) {
  const losses: string[] = [];
  const keeper = createLeaseKeeper({
    leases: over,
    name,
    owner: 'a',
    ttlMs,
    onLost: (reason) => losses.push(reason),
  });
  return { keeper, losses };
}

describe('a lease keeper', () => {
  it('renews until it is released', async () => {
    const { keeper, losses } = keep('kept', 3_000);
    const first = await keeper.acquire();
    expect(first).toMatchObject({ kind: 'granted', epoch: 1 });
    const granted = first.kind === 'granted' ? first.expiresAt.getTime() : Number.NaN;
    await until('it is renewed', async () =>
      (await leases.list()).some((lease) => lease.name === 'kept' && lease.expiresAt.getTime() > granted),
    );
    expect(keeper.epoch()).toBe(1);
    await keeper.release();
    expect(keeper.epoch()).toBeUndefined();
    expect(await leases.acquire('kept', 'b', 1_000)).toMatchObject({ kind: 'granted', epoch: 2 });
    expect(losses).toEqual([]);
  });

  it('passes on that another owner holds the lease', async () => {
    await leases.acquire('taken', 'b', 60_000);
    const { keeper } = keep('taken', 1_000);
    expect(await keeper.acquire()).toMatchObject({ kind: 'refused', heldBy: 'b' });
    expect(keeper.epoch()).toBeUndefined();
  });

  it('tells once when the renewal is refused', async () => {
    const { keeper, losses } = keep('stolen', 600);
    await keeper.acquire();
    await database.pool.query(
      `UPDATE m10bot.leases SET owner = 'b', epoch = 2, expires_at = now() + interval '1 hour' WHERE name = 'stolen'`,
    );
    await until('the loss is told', () => losses.length > 0);
    expect(keeper.epoch()).toBeUndefined();
    await keeper.release();
    expect(losses).toHaveLength(1);
    expect(await leases.list()).toContainEqual(expect.objectContaining({ name: 'stolen', owner: 'b' }));
  });

  it('gives up by its own clock when the database cannot confirm', async () => {
    // The table is locked by another session, so renewals hang and are neither granted nor refused.
    const { keeper, losses } = keep('hanging', 600);
    await keeper.acquire();
    const blocker = await database.pool.connect();
    await blocker.query('BEGIN; LOCK TABLE m10bot.leases');
    await until('the loss is told', () => losses.length > 0);
    await blocker.query('ROLLBACK');
    blocker.release();
    expect(losses).toEqual(['lease hanging could not be renewed before it expired']);
    expect(keeper.epoch()).toBeUndefined();
  });

  it('tries again when a renewal fails, and keeps the lease', async () => {
    let failures = 0;
    const shaky: Leases = {
      ...leases,
      async renew(...parameters) {
        failures += 1;
        if (failures === 1) throw new Error('connection reset');
        return leases.renew(...parameters);
      },
    };
    const { keeper, losses } = keep('shaky', 3_000, shaky);
    await keeper.acquire();
    await until('it is renewed after the failure', () => failures >= 2);
    expect(keeper.epoch()).toBe(1);
    await keeper.release();
    expect(losses).toEqual([]);
  });
});
