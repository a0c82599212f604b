import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { publisherCursors } from '../../src/bot/publish/reader.js';
import { createSlack, SlackCallError } from '../../src/clients/slack.js';
import type { RunEvent } from '../../src/runbook/events.js';
import { gateMessageKey } from '../../src/runbook/people.js';
import { createPosted } from '../../src/store/posted.js';
import { until } from '../store/poll.js';
import { type Publishing, publishing } from './publishing.js';
import * as s from './render/sample.js';

let world: Publishing;
beforeEach(async () => {
  world = await publishing();
});
afterEach(() => world.close());

const Mark = z.object({ event_payload: z.object({ key: z.string() }) });

/** The keys of the messages in the channel, in the order of their posting. */
async function keys(): Promise<string[]> {
  return (await world.messages()).flatMap((m) => {
    const mark = Mark.safeParse(m.metadata);
    return mark.success ? [mark.data.event_payload.key] : [];
  });
}

/** Nothing twice: every key has one message, every file one share. */
async function expectOnce(...wanted: string[]): Promise<void> {
  const all = await keys();
  expect(all.filter((key, index) => all.indexOf(key) !== index)).toEqual([]);
  expect(all).toEqual(expect.arrayContaining(wanted));
  const files = (await world.messages()).flatMap((m) => m.files.map((f) => f.name));
  expect(files.filter((name, index) => files.indexOf(name) !== index)).toEqual([]);
}

async function message(key: string) {
  const found = await world.posted.get(key);
  return (await world.messages()).find((m) => m.ts === found?.ts);
}

const card = 'run:7:card';
const gate = gateMessageKey(7, 1);
const asked: RunEvent[] = [...s.preflight(), s.requested(), s.gateOpened()];
const long = Array.from({ length: 200 }, (_, n) => `line ${n}`).join('\n');
const failed = s.finished('staging', 'apply', {
  result: 'failed',
  summary: 'exit code 1',
  output: long,
  outputFile: 'run-7/apply/output',
});
const broken: RunEvent[] = [
  s.approved(),
  s.spent,
  s.blockStarted('staging'),
  s.started('staging', 'apply'),
  failed,
  s.assessed(),
];
const everyKey = [card, gate, 'run:7:prompt:phase:staging/apply:1', 'run:7:closed'];

describe('a run', () => {
  it('is told in the channel and in threads, in one card, with files', async () => {
    world.start();
    await world.run(...asked);
    await world.caughtUp();
    expect(JSON.stringify(await message(gate))).toContain('React to this message');
    await world.run(...broken, s.closed());
    await world.caughtUp();

    await expectOnce(...everyKey);
    const all = await world.messages();
    const cardMessage = await message(card);
    expect(cardMessage?.text).toContain('Verified');
    expect((await message(gate))?.text).toContain('Approved');
    expect(JSON.stringify(await message('run:7:prompt:phase:staging/apply:1'))).not.toContain('run_retry');

    const inThread = all.filter((m) => m.thread_ts === cardMessage?.ts).map((m) => m.text);
    expect(inThread.join('\n')).toContain('Apply the migration');
    const files = all.flatMap((m) => m.files.map((file) => ({ file, thread: m.thread_ts })));
    const output = files.find(({ file }) => file.name.endsWith('.log'));
    expect(output?.thread).toBe(cardMessage?.ts);
    const { content } = await world.people.file({ id: output?.file.id ?? '' });
    const text = Buffer.from(content, 'base64').toString();
    expect(text).toBe('whole output of run-7/apply/output, password [redacted]');
    const gateTs = (await message(gate))?.ts;
    expect(files.some(({ file, thread }) => file.name.endsWith('.sql') && thread === gateTs)).toBe(true);
  });

  it('puts results that come together into few messages, and coalesces the card', async () => {
    const runbook = s.sampleRunbook(undefined, 40);
    await world.run(...s.preflight(runbook));
    world.start();
    await world.caughtUp();
    const replies = (await message(card))?.replies.length ?? 0;
    expect(replies).toBeGreaterThan(0);
    expect(replies).toBeLessThan(8);
    expect((await world.calls('chat.update')).length).toBeLessThan(5);
    expect((await message(card))?.text).toContain('Waiting for the next command');
    const texts = JSON.stringify((await world.messages()).map((m) => m.blocks));
    for (const step of runbook.phases[0]?.steps ?? []) expect(texts).toContain(`*${step.title}* passed`);
  });

  it('puts the request for approval before chatter that waits', async () => {
    const output = 'x'.repeat(1_400);
    const runbook = s.sampleRunbook(undefined, 30);
    const chatter = (runbook.phases[0]?.steps ?? []).flatMap((step): RunEvent[] => [
      s.started('preflight', step.id),
      s.finished('preflight', step.id, { output }),
    ]);
    world.start({ timing: { posts: { burst: 4, everyMs: 100 } } });
    await world.run(s.opened(runbook), s.blockStarted('preflight'), ...chatter);
    await until('the chatter has begun', async () => (await keys()).some((key) => key.includes(':thread:')));
    await world.run(s.blockFinished('preflight'), s.requested(), s.gateOpened());
    await world.caughtUp();
    const order = await keys();
    const lastResult = order.findLastIndex((key) => key.includes(':step:'));
    expect(order.indexOf(gate)).toBeGreaterThan(0);
    expect(order.indexOf(gate)).toBeLessThan(lastResult);
    await expectOnce(card, gate);
  });

  it('answers a reaction that does not count in the thread of the request, and mentions the person', async () => {
    world.start();
    await world.run(...asked, {
      type: 'ReactionRejected',
      gate: 1,
      by: s.alice,
      emoji: '+1',
      code: 'own_request',
      why: 'you asked for it, so a second person has to approve',
    });
    await world.caughtUp();
    const gateTs = (await message(gate))?.ts;
    const answers = (await world.messages()).filter(
      (m) => m.thread_ts === gateTs && m.text.includes(`<@${s.alice}>`),
    );
    expect(answers).toHaveLength(1);
  });
});

it('tells of refusals and plans outside any run, and nothing of targets', async () => {
  world.start();
  await world.append(
    `desk:${world.channel}`,
    {
      type: 'CommandRefused',
      by: s.bob,
      command: '/m10 next',
      code: 'no_run',
      why: 'There is no run.',
      instead: '',
    },
    { type: 'PlanShown', by: s.alice, runbook: 'sample', plan: s.samplePlan() },
  );
  await world.journal.append([
    {
      stream: 'target:staging',
      expectedVersion: 0,
      events: [{ type: 'TargetClaimed', data: { v: 1, target: 'staging', run: 7 } }],
    },
  ]);
  await world.caughtUp();
  const all = await world.messages();
  expect(all.filter((m) => m.thread_ts === undefined)).toHaveLength(2);
  expect(all.flatMap((m) => m.files)).toHaveLength(1);
});

describe('when Slack is in trouble, nothing is lost and nothing comes twice', () => {
  it.each(['503', 'drop'] as const)('an outage (%s) is over as soon as Slack answers', async (mode) => {
    // Whoever waits out the pause never sees the end of the test.
    world.start({ timing: { backoff: 3_600_000, longestBackoff: 3_600_000, probe: 50 } });
    await world.people.outage({ mode });
    await world.run(...asked);
    const failures = () => world.logged.filter((l) => l.message.includes('publishing failed')).length;
    await until('publishing has failed', async () => failures() > 0);
    await world.people.outage({ mode: 'off' });
    await world.caughtUp();
    await expectOnce(card, gate);
  });

  it('a Slack that answers and takes nothing is not asked without end', async () => {
    world.start({ timing: { backoff: 3_600_000, longestBackoff: 3_600_000, probe: 1 } });
    await world.people.failNext({ method: 'chat.postMessage', failure: 'internal_error', count: 1_000 });
    await world.run(...asked);
    const tries = async () => (await world.calls('chat.postMessage')).length;
    await until('it was tried again', async () => (await tries()) >= 8);
    const asks = (await world.calls('api.test')).length;
    // As long as it fails, each question is asked twice as late as the one before, and followed by one try.
    expect(await tries()).toBeLessThanOrEqual(asks + 2);
  });

  it.each(['503', 'drop'] as const)('an outage (%s)', async (mode) => {
    world.start();
    await world.run(...s.preflight());
    await world.caughtUp();
    await world.people.outage({ mode });
    await world.run(s.requested(), s.gateOpened(), ...broken, s.closed());
    await until('a call has failed', () => world.logged.some((entry) => entry.level === 'warn'));
    expect(await world.posted.get('run:7:closed')).toBeUndefined();
    await world.people.outage({ mode: 'off' });
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(...everyKey);
  });

  it('too many calls', async () => {
    await world.people.failNext({ method: 'chat.postMessage', failure: 'ratelimited', count: 1 });
    await world.people.failNext({ method: 'chat.update', failure: 'ratelimited', count: 1 });
    world.start();
    await world.run(...asked, ...broken, s.closed());
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(...everyKey);
  });

  it.each([
    ['chat.postMessage', 'timeout-after-accept'],
    ['chat.postMessage', 'drop'],
    ['chat.postMessage', 'http_500'],
    ['chat.postMessage', 'internal_error'],
    ['chat.update', 'timeout-after-accept'],
    ['conversations.replies', 'drop'],
    ['files.completeUploadExternal', 'timeout-after-accept'],
    ['files.completeUploadExternal', 'drop'],
    ['files.getUploadURLExternal', 'http_500'],
  ])('%s ends with %s', async (method, failure) => {
    world.start();
    await world.run(...s.preflight());
    await world.caughtUp();
    await world.people.failNext({ method, failure, count: 3 });
    await world.run(s.requested(), s.gateOpened(), ...broken, s.closed());
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(...everyKey);
    const files = (await world.messages()).flatMap((m) => m.files);
    expect(files).toHaveLength(2);
  });

  it('a crash right after each post, before it could be noted', async () => {
    await world.run(...asked, ...broken, s.closed());
    // Each life of the publisher notes nothing after its first new message, and dies.
    for (let life = 1; life <= 60; life += 1) {
      const real = createPosted(world.pool);
      let died = false;
      const posted = dying(real, life % 2, () => {
        died = true;
      });
      const publisher = world.start({ posted });
      await until('it died or is done', async () => died || (await done()));
      await publisher.close();
      if (await done()) break;
    }
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(...everyKey);
    expect((await world.messages()).flatMap((m) => m.files)).toHaveLength(2);
  });
});

async function done(): Promise<boolean> {
  const { position } = await world.journal.head();
  const all = await Promise.all(Object.values(publisherCursors).map((n) => world.cursors.get(n)));
  return all.every((at) => at === position);
}

/** Takes so many notes and then none. */
function dying(real: ReturnType<typeof createPosted>, most: number, onDeath: () => void) {
  let notes = 0;
  return {
    ...real,
    async put(note: Parameters<typeof real.put>[0]) {
      notes += 1;
      if (notes <= most) return real.put(note);
      onDeath();
      throw new Error('killed');
    },
  };
}

describe('when Slack says no for good', () => {
  it('sends the text of a message whose blocks it refuses', async () => {
    await world.people.failNext({ method: 'chat.postMessage', failure: 'invalid_blocks', count: 1 });
    world.start();
    await world.run(s.opened());
    await until('it is posted', async () => (await world.posted.get(card)) !== undefined);
    const first = (await world.messages()).at(0);
    expect(first?.text).toContain('Run 7');
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(card);
  });

  it('records what it takes in no form, and a request that is only named has no message to react to', async () => {
    world.start();
    await world.run(...s.preflight());
    await world.caughtUp();
    await world.people.failNext({ method: 'chat.postMessage', failure: 'msg_too_long', count: 2 });
    await world.run(s.requested(), s.gateOpened());
    await world.caughtUp();
    expect(await world.posted.get(gate)).toBeUndefined();
    const [stub] = await world.posted.list('undelivered:');
    expect(stub).toMatchObject({ key: `undelivered:${gate}`, hash: 'msg_too_long' });
    expect((await world.messages()).find((m) => m.ts === stub?.ts)?.text).toContain('request 1 of run 7');
    expect(world.logged.some((entry) => entry.level === 'error')).toBe(true);
    // The SQL has no thread to go to; it is shown all the same.
    expect((await world.messages()).flatMap((m) => m.files)).toHaveLength(1);
  });

  it('posts a message again that somebody deleted', async () => {
    world.start();
    await world.run(...asked);
    await world.caughtUp();
    const was = await world.posted.get(gate);
    await world.slack.call('chat.delete', { channel: world.channel, ts: was?.ts });
    await world.run(s.approved(), s.spent);
    await world.caughtUp();
    const is = await world.posted.get(gate);
    expect(is?.ts).not.toBe(was?.ts);
    expect((await message(gate))?.text).toContain('Approved');
  });

  it('waits for a token that is put right', async () => {
    await world.people.failNext({ method: 'chat.postMessage', failure: 'invalid_auth', count: 4 });
    world.start();
    await world.run(s.opened());
    await world.caughtUp();
    await world.nothingHeld();
    await expectOnce(card);
  });
});

it('keeps below the limits that it knows', async () => {
  await world.people.setRateLimits({ limits: { postsPerSecond: 20, postBurst: 5 } });
  world.start({ timing: { posts: { burst: 4, everyMs: 60 } } });
  await world.run(...asked, ...broken, s.closed());
  await world.caughtUp();
  const calls = await world.calls('chat.postMessage');
  expect(calls.length).toBeGreaterThan(5);
  expect(calls.filter((call) => call.status === 429)).toEqual([]);
});

it('publishes from one replica at a time, and the other takes over', async () => {
  const first = world.start();
  await until('the first publishes', () => first.publishing());
  const second = world.start({ timing: { lease: 600 } });
  await world.run(...asked);
  await world.caughtUp();
  expect(second.publishing()).toBe(false);
  await first.close();
  await world.run(...broken, s.closed());
  await until('the second publishes', () => second.publishing());
  await world.caughtUp();
  await expectOnce(...everyKey);
});

it('tells a call without an answer from a no', async () => {
  const slack = createSlack({ token: 'xoxb-wrong', apiUrl: 'http://127.0.0.1:9/', timeoutMs: 500 });
  const call = slack.call('auth.test', {});
  await expect(call).rejects.toThrow(SlackCallError);
  await expect(call).rejects.toMatchObject({ failure: { kind: 'ambiguous' } });
});
