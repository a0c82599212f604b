import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clockWarning, createDatabaseClock } from '../../src/store/clock.js';
import { createJournal } from '../../src/store/journal.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { createRuns, opened } from '../../src/store/runs.js';
import { approve, open, openGate, preflight, requestNext } from '../runbook/spec.js';
import { freshDatabase } from '../support/database.js';

const tenMinutes = 600_000;
const minute = 60_000;

let pool: pg.Pool;
let drop: () => Promise<unknown>;
beforeAll(async () => {
  const database = await freshDatabase('clock');
  pool = createPool({ url: database.url, max: 4, applicationName: 'm10bot-test', onError: () => {} });
  await migrate(pool, 'migrations');
  drop = async () => {
    await pool.end();
    await database.drop();
  };
});
afterAll(() => drop?.());

/** The clock of a replica whose machine is off by so much, ms. */
function replica(off: number) {
  const told: number[] = [];
  const clock = createDatabaseClock(
    pool,
    (ahead) => told.push(ahead),
    () => Date.now() + off,
  );
  return { clock, told };
}

it('is the same for replicas ten minutes apart, asked or reckoned', async () => {
  const clocks = [-tenMinutes, 0, tenMinutes].map((off) => replica(off).clock);
  const asked = await Promise.all(clocks.map((clock) => clock.now()));
  const reckoned = clocks.map((clock) => clock.reckon());
  for (const times of [asked, reckoned]) {
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(minute);
  }
});

it('tells once that a machine is off, by how much and which way', async () => {
  for (const off of [-tenMinutes, tenMinutes]) {
    const { clock, told } = replica(off);
    await clock.start();
    await clock.now();
    clock.close();
    expect(told).toHaveLength(1);
    expect(Math.abs(clock.aheadMs() - off)).toBeLessThan(minute);
    expect(clockWarning(clock.aheadMs())).toMatch(off > 0 ? /\d+ s ahead of/ : /\d+ s behind/);
  }
  expect(clockWarning(1_000)).toBeNull();
});

it('notices a clock that is set later, and one that is put right', async () => {
  let off = 0;
  const told: number[] = [];
  const clock = createDatabaseClock(
    pool,
    (ahead) => told.push(ahead),
    () => Date.now() + off,
  );
  for (off of [0, tenMinutes, 0, -tenMinutes]) await clock.now();
  expect(told.map(Math.sign)).toEqual([1, -1]);
});

it('decides when a request expires, whatever the replica shows', async () => {
  const journal = createJournal(pool);
  let run = 100;
  for (const off of [-tenMinutes, tenMinutes]) {
    run += 1;
    const runs = createRuns({ journal, now: replica(off).clock.now });
    const opening = [{ ...open, run } as typeof open, ...preflight.slice(1), requestNext(), openGate(1)];
    for (const command of opening) {
      // A request of five minutes: shorter than the clocks are apart.
      const short = command.type === 'OpenGate' ? { ...command, expiresMs: 5 * minute } : command;
      expect(await runs.execute(run, short)).toMatchObject({ kind: 'accepted' });
    }
    // Another replica, with a clock of its own, reads the request.
    const others = createRuns({ journal, now: replica(-off).clock.now });
    expect(await others.execute(run, { type: 'ExpireGate', gate: 1 })).toMatchObject({ code: 'stale' });
    await others.execute(run, approve(1));
    const [gate] = opened((await runs.load(run)).state)?.gates ?? [];
    expect(gate?.approvals).toHaveLength(1);
    expect(Math.abs((gate?.expiresAt ?? 0) - Date.now() - 5 * minute)).toBeLessThan(minute);
    await runs.execute(run, { type: 'Close', by: 'UALICE', operator: true, reason: 'done', targets: [] });
  }
});
