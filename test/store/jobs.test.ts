import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobEvent } from '../../src/runbook/jobs/events.js';
import { refuse } from '../../src/runbook/refusal.js';
import { createJobsJournal, jobsStream, recordNotice } from '../../src/store/jobs.js';
import { createJournal } from '../../src/store/journal.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
beforeAll(async () => {
  database = await stateDatabase();
});
afterAll(() => database.drop());

const replica = (target: string) => {
  const journal = createJournal(database.pool);
  return { journal, jobs: createJobsJournal({ journal, target, now: Date.now }) };
};

const requested = (request: number, by = 'U1'): JobEvent => ({
  type: 'JobRunRequested',
  request,
  job: 'reclaim-gc',
  by,
  dryRun: false,
  via: 'command',
});

describe('the journal of a target’s jobs', () => {
  it('begins with everything off, and shows what another replica wrote', async () => {
    const here = replica('shared').jobs;
    const there = replica('shared').jobs;
    expect((await here.load()).state.paused['reclaim-gc']).toMatchObject({ by: null });
    const resumed: JobEvent = {
      type: 'JobsResumed',
      jobs: ['reclaim-gc'],
      by: 'U1',
      reason: '',
      run: null,
      via: 'command',
    };
    const done = await there.execute(() => ({ kind: 'accepted', events: [resumed] }));
    expect(done).toMatchObject({ kind: 'accepted', events: [resumed], version: 1 });
    const { state, version } = await here.load();
    expect(version).toBe(1);
    expect(state.paused['reclaim-gc']).toBeNull();
    expect(state.resumedAt['reclaim-gc']).toBeGreaterThan(Date.parse('2020-01-01'));
  });

  it('decides again when somebody else was first, so that no number is given twice', async () => {
    const replicas = Array.from({ length: 4 }, () => replica('raced').jobs);
    await Promise.all(
      replicas.map((jobs) =>
        jobs.execute((state) => ({ kind: 'accepted', events: [requested(state.lastRequest + 1)] })),
      ),
    );
    const { state } = await replica('raced').jobs.load();
    expect(state.requests.map((r) => r.request)).toEqual([1, 2, 3, 4]);
  });

  it('appends nothing for a refusal, for no events, and for a delivery that had its effect', async () => {
    const { jobs, journal } = replica('quiet');
    expect(await jobs.execute(() => refuse('bad_arguments', 'No.'))).toMatchObject({ kind: 'refused' });
    expect(await jobs.execute(() => ({ kind: 'accepted', events: [] }))).toMatchObject({ version: 0 });
    const ask = () =>
      jobs.execute((s) => ({ kind: 'accepted', events: [requested(s.lastRequest + 1)] }), { delivery: 'd1' });
    expect(await ask()).toMatchObject({ kind: 'accepted', events: [requested(1)], version: 1 });
    expect(await ask()).toMatchObject({ kind: 'accepted', events: [], version: 1 });
    expect((await journal.last(jobsStream('quiet')))?.actor).toBe('U1');
  });

  it('takes a notice of an outbox event once', async () => {
    const { journal } = replica('noticed');
    const notice = { channel: 'C1', text: 'Shipped.', source: 'outbox event 7' };
    expect(await recordNotice(journal, 'noticed', 7, notice)).toBe(true);
    expect(await recordNotice(journal, 'noticed', 7, { ...notice, text: 'Again.' })).toBe(false);
    expect(await journal.read('notice:noticed:7')).toMatchObject([{ data: { v: 1, ...notice } }]);
  });
});
