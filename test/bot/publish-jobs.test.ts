import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JobEvent, JobEventOf } from '../../src/runbook/jobs/events.js';
import { createJobsJournal, jobsStream, recordNotice } from '../../src/store/jobs.js';
import { CHANNELS } from '../../workspace/slack/people.js';
import { type Publishing, publishing } from './publishing.js';
import { alice, bob } from './render/sample.js';

let world: Publishing;
beforeAll(async () => {
  world = await publishing();
  world.start();
});
let targets = 0;
/** Each test has a stream of its own. */
let target: string;
beforeEach(() => {
  targets += 1;
  target = `production-${targets}`;
});
afterAll(() => world.close());

async function tell(...events: JobEvent[]): Promise<void> {
  const jobs = createJobsJournal({ journal: world.journal, target, now: Date.now });
  await jobs.execute(() => ({ kind: 'accepted', events }));
  await settled();
}

async function settled(): Promise<void> {
  world.wake();
  await world.caughtUp();
}

/** The message that is remembered under a key of this target's stream. */
async function message(key: string) {
  const found = await world.posted.get(`${jobsStream(target)}:${key}`);
  return (await world.messages()).find((m) => m.ts === found?.ts);
}

/** Replies that the channel sees too. */
async function broadcasts(): Promise<string[]> {
  const answer = await world.slack.call('conversations.history', { channel: world.channel, limit: 200 });
  const { messages } = z
    .object({ messages: z.array(z.object({ ts: z.string(), subtype: z.string().optional() })) })
    .parse(answer);
  return messages.flatMap((m) => (m.subtype === 'thread_broadcast' ? [m.ts] : []));
}

const asked: JobEventOf<'JobRunRequested'> = {
  type: 'JobRunRequested',
  request: 1,
  job: 'dl-reconcile',
  by: alice,
  dryRun: true,
  via: 'command',
};

const ended = (outcome: 'passed' | 'failed'): JobEventOf<'JobRunFinished'> => ({
  type: 'JobRunFinished',
  request: 1,
  job: 'dl-reconcile',
  by: alice,
  dryRun: true,
  outcome,
  summary: 'Would acknowledge 3, with password hunter2',
  counts: { acknowledged: 3 },
  output: '`'.repeat(100_000),
  advice: '',
  durationMs: 1_250,
});

describe('a run by hand', () => {
  it('is one message that becomes its result, with a reply that calls whoever asked', async () => {
    await tell(asked);
    expect((await message('run:1'))?.text).toContain(`<@${alice}> asked for a dry run`);
    const before = await message('run:1');
    await tell(ended('passed'));
    const after = await message('run:1');
    expect(after?.ts).toBe(before?.ts);
    expect(after?.text).toContain('nothing was changed');
    expect(JSON.stringify(after?.blocks)).toContain('acknowledged 3');
    const reply = await message('run:1:reply');
    expect(reply?.thread_ts).toBe(after?.ts);
    expect(reply?.text).toContain(`<@${alice}>, `);
    expect(await broadcasts()).not.toContain(reply?.ts);
    expect(JSON.stringify([after, reply])).not.toContain('hunter2');
  });

  it('that went wrong is told to the channel too', async () => {
    await tell(asked, ended('failed'));
    expect((await message('run:1'))?.text).toContain('🔴');
    expect(await broadcasts()).toContain((await message('run:1:reply'))?.ts);
  });
});

it('tells who switched schedules, and each alarm and its end by a message of its own', async () => {
  const alarm = { job: 'matview-refresh' as const, alarm: 'failing' as const };
  const raised: JobEvent = {
    type: 'JobAlarmRaised',
    ...alarm,
    failures: 1,
    summary: 'matview-refresh failed.',
    error: 'no such view',
    advice: '`/m10 jobs log matview-refresh` shows the last runs.',
  };
  const updates = (await world.calls('chat.update')).length;
  await tell({
    type: 'JobsPaused',
    jobs: ['matview-refresh'],
    by: bob,
    reason: 'too loud',
    run: null,
    via: 'command',
  });
  await tell(raised);
  await tell({ ...raised, failures: 3, summary: 'matview-refresh failed 3 times in a row.' });
  await tell({ type: 'JobAlarmCleared', ...alarm, summary: 'matview-refresh works again.' });
  const texts = (await world.messages()).slice(-4).map((m) => m.text);
  expect(texts).toEqual([
    expect.stringContaining(`<@${bob}> paused \`matview-refresh\``),
    expect.stringContaining('🔴 matview-refresh failed. `/m10 jobs log'),
    expect.stringContaining('failed 3 times'),
    expect.stringContaining('✅ matview-refresh works again.'),
  ]);
  expect((await world.calls('chat.update')).length).toBe(updates);
});

it('tells an operation in one message', async () => {
  const what = { operation: 1, what: 'Remove the expired locks', by: alice };
  await tell({ type: 'OperationStarted', ...what, via: 'command' });
  expect((await message('operation:1'))?.text).toContain('under way');
  await tell({
    type: 'OperationFinished',
    ...what,
    result: 'passed',
    summary: '2 locks removed',
    output: '',
    durationMs: 5,
  });
  expect((await message('operation:1'))?.text).toContain('2 locks removed');
});

describe('a notice of an outbox event', () => {
  const notice = (channel: string, text = 'Shipped <!channel> with hunter2') => ({
    channel,
    text,
    source: 'outbox event 7 (notify:ops)',
  });
  const inChannel = async (channel: string) =>
    (await world.people.read({ channel })).messages.map((m) => m.text);

  it('goes to its own channel once, and pings nobody there', async () => {
    for (let times = 0; times < 2; times += 1) {
      await recordNotice(world.journal, target, 7, notice(world.channel, 'Shipped <!channel> with hunter2'));
      await settled();
    }
    const told = (await inChannel(world.channel)).filter((text) => text.includes('Shipped'));
    expect(told).toEqual(['Shipped &lt;!channel&gt; with [redacted]']);
  });

  it.each([
    ['is not in', CHANNELS.elsewhere, 'not_in_channel'],
    ['does not know', 'C0NOWHERE1', 'channel_not_found'],
  ])('goes to the incident channel when the bot %s its own', async (_, channel, code) => {
    await recordNotice(world.journal, target, 8, notice(channel, `For ${channel}`));
    await settled();
    const found = (await world.messages()).filter((m) => m.text.includes(`For ${channel}`));
    expect(found).toHaveLength(1);
    expect(JSON.stringify(found[0]?.blocks)).toContain(code);
    expect(JSON.stringify(found[0]?.blocks)).toContain(`<#${channel}>`);
  });
});
