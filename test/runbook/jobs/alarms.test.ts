import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alarms, type JobFacts, levelOf, type OutboxFacts } from '../../../src/runbook/jobs/alarms.js';
import type { JobEvent } from '../../../src/runbook/jobs/events.js';
import { initialJobs, type JobsState } from '../../../src/runbook/jobs/state.js';
import { given, healthy, minute, paused, record, resumed, t0 } from './spec.js';

const on = given([resumed()], t0 - 60 * minute);
const job = 'reclaim-gc';

const facts = (change: Partial<JobFacts['health']> = {}, more: Partial<JobFacts> = {}): JobFacts => ({
  job,
  health: { ...healthy, ...change },
  intervalMs: 10 * minute,
  timeoutMs: 5 * minute,
  watchedSince: t0 - 60 * minute,
  outbox: null,
  ...more,
});

const broken = (failures: number) => {
  const trouble = record({ outcome: 'failed', summary: 'The database is gone.', advice: 'Start it.' });
  return facts({ failures, trouble, last: trouble });
};

/** Asks, and folds what is told, as the scheduler does. */
function ask(state: JobsState, of: JobFacts, now = t0): { told: JobEvent[]; state: JobsState } {
  const told = alarms(state, [of], now);
  return { told, state: given(told, now, state) };
}

describe('a job that fails', () => {
  it('is told with its error and what can be done', () => {
    expect(ask(on, broken(1)).told).toEqual([
      {
        type: 'JobAlarmRaised',
        job,
        alarm: 'failing',
        failures: 1,
        summary: 'reclaim-gc failed.',
        error: 'The database is gone.',
        advice: 'Start it. `/m10 jobs log reclaim-gc` shows the last runs.',
      },
    ]);
  });

  it('is told again at 3, 10, 30, 100, 300 in a row, and at no other', () => {
    let state = on;
    const at: number[] = [];
    for (let failures = 1; failures <= 350; failures += 1) {
      const asked = ask(state, broken(failures));
      state = asked.state;
      if (asked.told.length > 0) at.push(failures);
      expect(ask(state, broken(failures)).told).toEqual([]);
    }
    expect(at).toEqual([1, 3, 10, 30, 100, 300]);
  });

  it('is told once when it works again', () => {
    const { state } = ask(on, broken(4));
    const well = ask(state, facts());
    expect(well.told).toEqual([
      {
        type: 'JobAlarmCleared',
        job,
        alarm: 'failing',
        summary: 'reclaim-gc works again, after 4 failures or more in a row.',
      },
    ]);
    expect(ask(well.state, facts()).told).toEqual([]);
    expect(ask(well.state, broken(1)).told).toHaveLength(1);
  });

  it('is told anew when it passed in between and nobody looked', () => {
    const { state } = ask(on, broken(12));
    expect(ask(state, broken(1)).told.map((event) => event.type)).toEqual([
      'JobAlarmCleared',
      'JobAlarmRaised',
    ]);
  });

  it('is told when nobody looked at the level itself', () => {
    expect(ask(on, broken(5)).told).toMatchObject([
      { failures: 5, summary: expect.stringContaining('5 times') },
    ]);
  });

  it('is not told for a lock that was lost once, and is for one that is lost again and again', () => {
    const lost = (failures: number) => facts({ failures, trouble: record({ outcome: 'lost' }) });
    expect(ask(on, lost(2)).told).toEqual([]);
    expect(ask(on, lost(3)).told).toHaveLength(1);
  });

  it('never counts as well again because it only ever failed', () => {
    const { state } = ask(on, { ...broken(1), health: { ...broken(1).health, passedAt: null } });
    expect(ask(state, facts({ passedAt: null })).told).toEqual([]);
  });
});

describe('a job that has not run', () => {
  const late = t0 + 31 * minute;

  it('is told once after three intervals, with why it was skipped, and once when it runs again', () => {
    expect(ask(on, facts(), t0 + 30 * minute).told).toEqual([]);
    const skipped = record({ outcome: 'skipped', summary: 'worker-7 has the lock.', advice: 'Ask them.' });
    const first = ask(on, facts({ last: skipped }), late);
    expect(first.told).toMatchObject([
      {
        alarm: 'overdue',
        summary: expect.stringContaining('It last ran 31 min ago, and should run every 10 min'),
        error: 'worker-7 has the lock.',
        advice: expect.stringMatching(/^Ask them\. .*`\/m10 locks`/),
      },
    ]);
    expect(ask(first.state, facts(), late + minute).told).toEqual([]);
    const again = ask(first.state, facts({ ranAt: late + minute }), late + 2 * minute);
    expect(again.told).toEqual([
      { type: 'JobAlarmCleared', job, alarm: 'overdue', summary: 'reclaim-gc runs again.' },
    ]);
    expect(ask(again.state, facts({ ranAt: late + minute }), late + 3 * minute).told).toEqual([]);
  });

  it('has its time from when it was switched on, and from the start of this replica', () => {
    expect(ask(given([resumed()], late - minute), facts(), late).told).toEqual([]);
    expect(ask(on, facts({}, { watchedSince: late - minute }), late).told).toEqual([]);
    expect(ask(on, facts({ ranAt: null }), late).told).toMatchObject([
      { summary: expect.stringContaining('never run') },
    ]);
  });

  it('is not late while it runs, until it has outlived its time limit', () => {
    expect(ask(on, facts({ runningSince: late - minute }), late).told).toEqual([]);
    expect(ask(on, facts({ runningSince: late - 6 * minute }), late).told).toHaveLength(1);
  });

  it('is not late while it is paused or never was switched on, and begins anew after that', () => {
    expect(ask(initialJobs, facts(), late).told).toEqual([]);
    const { state } = ask(on, facts(), late);
    const off = given([paused()], late, state);
    expect(ask(off, facts(), late + 99 * minute).told).toEqual([]);
    const back = given([resumed()], late + 100 * minute, off);
    expect(ask(back, facts(), late + 101 * minute).told).toEqual([]);
    expect(ask(back, facts(), late + 131 * minute).told).toHaveLength(1);
  });
});

describe('an outbox that falls behind', () => {
  const outbox = (lagMs: number, pending: number): JobFacts =>
    facts(
      {},
      {
        job: 'outbox-processor',
        outbox: { lagMs, pending, limit: { lagMs: 300_000, pending: 1_000 } },
      },
    );

  it.each([
    [300_001, 1],
    [0, 1_001],
  ])('by %d ms or %d events is told once, and once when both are well below', (lagMs, pending) => {
    expect(ask(on, outbox(300_000, 1_000)).told).toEqual([]);
    const raised = ask(on, outbox(lagMs, pending));
    expect(raised.told).toMatchObject([{ alarm: 'lag', advice: expect.stringContaining('/m10 outbox') }]);
    expect(ask(raised.state, outbox(lagMs, pending)).told).toEqual([]);
    expect(ask(raised.state, outbox(240_000, 1)).told).toEqual([]);
    expect(ask(raised.state, outbox(1, 800)).told).toEqual([]);
    expect(ask(raised.state, outbox(239_999, 799)).told).toMatchObject([{ type: 'JobAlarmCleared' }]);
  });

  it('is told while the job is paused, with who paused it; not before it was ever switched on', () => {
    expect(ask(initialJobs, outbox(0, 5_000)).told).toEqual([]);
    expect(ask(given([paused()], t0, on), outbox(0, 5_000)).told).toMatchObject([
      { advice: expect.stringMatching(/paused by <@UBOB>; `\/m10 jobs resume outbox-processor`/) },
    ]);
  });

  it('is not judged when it could not be read', () => {
    const { state } = ask(on, outbox(0, 5_000));
    expect(ask(state, facts({}, { job: 'outbox-processor' })).told).toEqual([]);
  });
});

describe('whatever happens', () => {
  const step = fc.record({
    outcome: fc.constantFrom(
      'passed' as const,
      'failed' as const,
      'lost' as const,
      'skipped' as const,
      'none' as const,
    ),
    switched: fc.constantFrom('on' as const, 'off' as const, 'kept' as const, 'kept' as const),
    afterMs: fc.integer({ min: 1, max: 40 * minute }),
    lagMs: fc.integer({ min: 0, max: 600_000 }),
    pending: fc.integer({ min: 0, max: 2_000 }),
  });

  it('no level is told twice, nothing is cleared that was not told, and every recovery clears', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let state = on;
        let now = t0;
        let health: JobFacts['health'] = { ...healthy };
        /** What a person believes who reads the channel. */
        const standing = new Map<string, number>();
        for (const { outcome, switched, afterMs, lagMs, pending } of steps) {
          now += afterMs;
          const was = state.paused['outbox-processor'] === null;
          if (switched === 'on' && !was) state = given([resumed()], now, state);
          if (switched === 'off' && was) {
            state = given([paused()], now, state);
            standing.delete('overdue');
          }
          health = ran(health, outcome, now);
          const outbox: OutboxFacts = { lagMs, pending, limit: { lagMs: 300_000, pending: 1_000 } };
          const of = facts(health, { job: 'outbox-processor', outbox });
          const told = alarms(state, [of], now);
          for (const event of told) {
            if (event.type === 'JobAlarmRaised') {
              const before = standing.get(event.alarm);
              if (before !== undefined) expect(levelOf(event.failures)).toBeGreaterThan(levelOf(before));
              standing.set(event.alarm, event.failures);
            } else if (event.type === 'JobAlarmCleared') {
              expect(standing.delete(event.alarm)).toBe(true);
            }
          }
          state = given(told, now, state);
          expect(alarms(state, [of], now)).toEqual([]);
          if (health.failures === 0) expect(standing.has('failing')).toBe(false);
          if (health.ranAt === now) expect(standing.has('overdue')).toBe(false);
          if (lagMs < 240_000 && pending < 800) expect(standing.has('lag')).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  function ran(
    health: JobFacts['health'],
    outcome: 'passed' | 'failed' | 'lost' | 'skipped' | 'none',
    now: number,
  ): JobFacts['health'] {
    if (outcome === 'none') return health;
    const last = record({ outcome });
    if (outcome === 'skipped') return { ...health, last };
    if (outcome === 'passed') return { ...health, last, failures: 0, ranAt: now, passedAt: now };
    return { ...health, last, trouble: last, failures: health.failures + 1, ranAt: now };
  }

  it('levels grow by three and by ten', () => {
    expect([0, 1, 2, 3, 9, 10, 29, 30, 99, 100, 1_000].map(levelOf)).toEqual([
      0, 1, 1, 3, 3, 10, 10, 30, 30, 100, 1_000,
    ]);
  });
});
