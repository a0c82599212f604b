import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostile, problems } from './hostile.js';
import { jobMessages } from './jobs-sample.js';
import { alice, bob } from './sample.js';

const samples = jobMessages();
const said = (name: string) => JSON.stringify(samples[name]);

describe('every message about jobs', () => {
  it.each(Object.keys(samples))('%s', async (name) => {
    const rendered = samples[name] ?? expect.unreachable();
    expect(problems(rendered)).toEqual([]);
    await expect(`${JSON.stringify(rendered, null, 1)}\n`).toMatchFileSnapshot(`snapshots/${name}.txt`);
  });

  it.each(['`'.repeat(100_000), '<!channel> `x` & <@U0123456789>'.repeat(4_000), 'a\n'.repeat(50_000)])(
    'with 100 kB in every text',
    (text) => {
      for (const [name, rendered] of Object.entries(jobMessages(text)))
        expect(problems(rendered), name).toEqual([]);
    },
  );

  it('with hostile text everywhere', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const [name, rendered] of Object.entries(jobMessages(text)))
          expect(problems(rendered), name).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('what they say', () => {
  it.each([
    ['jobsPaused', `<@${bob}> paused`, 'it blocks the report', '/m10 jobs resume JOB'],
    ['jobsPausedInRun', 'in run 7'],
    ['jobsApproved', `<@${alice}> switched on`, `approved by <@${bob}>`],
    ['scheduleVoided', 'not what was approved', 'outbox: 7 days', '/m10 jobs resume retention-cleanup'],
    ['scheduleVoidedUnapproved', 'nobody had approved it'],
    ['schedulesUnapproved', 'no second person has approved them', '/m10 jobs resume all'],
    ['scheduleUnapproved', '/m10 jobs resume reclaim-gc'],
    ['jobs', `Approved by <@${bob}> in run 7`, 'On without an approval'],
    ['jobRunAsked', `<@${alice}> asked for`, 'outside its schedule'],
    ['jobRunPassed', 'passed in 1.3 s', 'Acknowledged 3, archived 3', '1718000000001-0 archived'],
    ['jobRunDry', 'dry run passed', 'nothing was changed', 'acknowledged 3', 'dead letters 1,200'],
    ['jobRunFailed', 'failed after 1.3 s', 'Look at `/m10 locks`.', 'tries again'],
    ['jobRunLost', 'goes on from there'],
    ['jobRunReply', `<@${alice}>, `],
    ['jobAlarm', 'failed 3 times in a row', 'lock timeout', '/m10 jobs log matview-refresh'],
    ['noticeElsewhere', '<#C0OPS00001>', 'not_in_channel', 'Shipment 7 left.'],
    ['jobs', 'Every 30 seconds', 'Europe/Berlin', 'reconcile_dl --json', '4 failures in a row'],
    ['jobs', `Paused by <@${bob}>`, 'in run 7: it blocks the report', 'not switched on yet'],
    ['jobs', 'Waits for: table m10_recovery.outbox', 'worker-7', 'Led by nobody'],
    ['jobs', `that <@${alice}> asked for`],
    ['jobsLog', 'was cut short', 'by the runbook', 'ERROR: no', '/m10 locks', 'rows 1,200'],
    ['jobsLogEmpty', '/m10 jobs run matview-refresh'],
  ])('%s: %s', (name, ...words) => {
    for (const each of words) expect(said(name)).toContain(each);
  });

  it('a run that changed something does not say that it changed nothing', () => {
    expect(said('jobRunPassed')).not.toContain('nothing was changed');
  });

  it('a notice of another system mentions nobody and nothing', () => {
    const { notice } = jobMessages('<!channel> <@U0123456789> <https://evil.example|bank> `rm`');
    expect(JSON.stringify(notice)).not.toMatch(/<[!@#h]/);
    expect(JSON.stringify(notice)).toContain('&lt;!channel&gt;');
  });
});
