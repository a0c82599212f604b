import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RunEvent } from '../../src/runbook/events.js';
import { gateMessageKey } from '../../src/runbook/people.js';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { until } from '../store/poll.js';
import { type Publishing, publishing } from './publishing.js';
import * as s from './render/sample.js';

let world: Publishing;
beforeEach(async () => {
  world = await publishing();
  world.start();
});
afterEach(() => world.close());

const Mark = z.object({ event_payload: z.object({ key: z.string() }) });

/** Keys of the channel's messages, in the order of their posting. */
async function keys(): Promise<string[]> {
  return (await world.messages()).flatMap((m) => {
    const mark = Mark.safeParse(m.metadata);
    return mark.success ? [mark.data.event_payload.key] : [];
  });
}

const archive = (isArchived: boolean) => world.people.setChannel({ channel: world.channel, isArchived });
const gate = gateMessageKey(7, 1);
const prompt = 'run:7:prompt:phase:staging/apply:1';
const long = Array.from({ length: 200 }, (_, n) => `line ${n}`).join('\n');
const failed = s.finished('staging', 'apply', { result: 'failed', summary: 'exit code 1', output: long });
const asked: RunEvent[] = [s.requested(), s.gateOpened()];
const answered: RunEvent[] = [s.approved(), s.spent, s.blockStarted('staging')];
const broken: RunEvent[] = [s.started('staging', 'apply'), failed, s.assessed()];

/** What waits for a channel, in all lanes. */
async function waiting(channel: string = world.channel) {
  return (await world.held.list()).filter((each) => each.channel === channel);
}

describe.each([
  ['is archived', () => archive(true), () => archive(false), 'is_archived'],
  [
    'has thrown the bot out',
    () => world.people.leave({ user: USERS.bot, channel: world.channel }),
    () => world.people.join({ user: USERS.bot, channel: world.channel }),
    'not_in_channel',
  ],
] as const)('a channel that %s', (_, close, open, code) => {
  it('gets everything later, in order, each once, and says meanwhile what waits', async () => {
    await world.run(...s.preflight());
    await world.caughtUp();
    const before = await keys();
    await close();
    await world.run(...asked);
    await world.caughtUp();
    await world.run(...answered, ...broken);
    await world.caughtUp();
    await world.run(s.closed());
    await world.caughtUp();
    const held = await waiting();
    expect(held.find((each) => each.lane === 'publisher')).toMatchObject({
      code,
      stream: 'run:7',
      waiting: expect.any(Number),
    });
    expect(held.reduce((sum, each) => sum + each.waiting, 0)).toBeGreaterThan(4);
    expect(await world.posted.list('undelivered:')).toEqual([]);

    await open();
    await world.nothingHeld();
    const after = (await keys()).slice(before.length);
    expect(new Set(after).size).toBe(after.length);
    const urgent = after.filter((key) => [gate, prompt, 'run:7:closed'].includes(key));
    expect(urgent).toEqual([gate, prompt, 'run:7:closed']);
    const closed = await world.posted.get('run:7:closed');
    const end = (await world.messages()).find((m) => m.ts === closed?.ts);
    // The end of the chain, which proves that nothing was changed meanwhile.
    expect(JSON.stringify(end?.blocks)).toMatch(/[0-9a-f]{12}/);
    // Nobody is asked for what has been answered.
    const request = await world.posted.get(gate);
    expect((await world.messages()).find((m) => m.ts === request?.ts)).toMatchObject({
      text: expect.stringContaining('Approved'),
      edited: null,
    });
    const card = await world.posted.get('run:7:card');
    const results = (await world.messages()).filter((m) => m.thread_ts === card?.ts);
    expect(results.map((m) => m.text).join('\n')).toContain('Exit code 1');
    expect(results.flatMap((m) => m.files)).toHaveLength(1);
    expect((await world.messages()).find((m) => m.ts === card?.ts)?.text).toContain('Verified');
  });

  it('does not keep other channels waiting, and outlives a publisher', async () => {
    await world.run(...s.preflight());
    await world.caughtUp();
    await close();
    await world.run(...asked);
    await world.append(`desk:${CHANNELS.privateOps}`, refused('/m10 next'));
    await world.caughtUp();
    const { messages } = await world.people.read({ channel: CHANNELS.privateOps });
    expect(messages.at(-1)?.text).toContain('/m10 next');
    expect(await waiting(CHANNELS.privateOps)).toEqual([]);
    await world.restart();
    await world.run(s.approved());
    await world.caughtUp();
    expect(await world.posted.get(gate)).toBeUndefined();
    await open();
    await world.nothingHeld();
    expect((await keys()).filter((key) => key === gate)).toHaveLength(1);
  });
});

const refused = (command: string): RunEvent => ({
  type: 'CommandRefused',
  by: s.bob,
  command,
  code: 'no_run',
  why: 'There is no run.',
  instead: '',
});

it('waits for a code that it does not know, unless a plainer form goes', async () => {
  await world.run(...s.preflight());
  await world.caughtUp();
  await world.people.failNext({ method: 'chat.postMessage', failure: 'brand_new_code', count: 1 });
  await world.append(`desk:${world.channel}`, refused('/m10 one'));
  await world.caughtUp();
  expect((await world.messages()).at(-1)).toMatchObject({
    text: expect.stringContaining('/m10 one'),
    blocks: [],
  });

  await world.people.failNext({ method: 'chat.postMessage', failure: 'brand_new_code', count: 6 });
  await world.append(`desk:${world.channel}`, refused('/m10 two'));
  await until('it waits', async () => (await waiting()).some((each) => each.code === 'brand_new_code'));
  await world.nothingHeld();
  const last = (await world.messages()).at(-1);
  expect(last?.text).toContain('/m10 two');
  expect(last?.blocks).not.toEqual([]);
});

it('posts into the channel what a thread does not take, and says what it belongs to', async () => {
  await world.run(...s.preflight(), ...asked);
  await world.caughtUp();
  await world.people.failNext({ method: 'chat.postMessage', failure: 'thread_not_found', count: 1 });
  await world.run({
    type: 'ReactionRejected',
    gate: 1,
    by: s.alice,
    emoji: '+1',
    code: 'own_request',
    why: 'you asked for it',
  });
  await world.caughtUp();
  const told = (await world.messages()).at(-1);
  expect(told?.thread_ts).toBeUndefined();
  expect(told?.text).toContain('About request 1 of run 7');
  expect(told?.text).toContain(`<@${s.alice}>`);
});

describe('where Slack takes no files', () => {
  it('the SQL of a request is posted as messages in its thread', async () => {
    await world.people.failNext({ method: 'files.getUploadURLExternal', failure: 'missing_scope', count: 5 });
    await world.run(...s.preflight(), ...asked);
    await world.caughtUp();
    expect(await waiting()).toEqual([]);
    const request = await world.posted.get(gate);
    const thread = (await world.messages()).filter((m) => m.thread_ts === request?.ts);
    expect(thread.flatMap((m) => m.files)).toEqual([]);
    expect(JSON.stringify(thread.map((m) => m.blocks))).toContain('sha256');
    expect(await world.posted.get(`${gate}:file:run-7-request-1-staging-1.sql`)).toMatchObject({
      ts: 'parts',
    });
    // A part of it is as needed as the file is.
    expect(await world.read({ run: 7, gate: 1, requestedAt: 0 })).toEqual({ kind: 'read', given: [] });
    const part = await world.posted.get(`${gate}:file:run-7-request-1-staging-1.sql:part:1`);
    await world.people.deleteMessage({ channel: world.channel, ts: part?.ts ?? '' });
    await world.pool.query("UPDATE m10bot.posted SET updated_at = now() - interval '2 minutes'");
    expect(await world.read({ run: 7, gate: 1, requestedAt: 0 })).toEqual({ kind: 'gone', ts: part?.ts });
  });

  it('an output waits, its thread says so, and messages go on', async () => {
    await world.run(...s.preflight(), ...asked, ...answered);
    await world.caughtUp();
    await world.people.failNext({
      method: 'files.getUploadURLExternal',
      failure: 'missing_scope',
      count: 40,
    });
    await world.run(...broken);
    // What stands behind it for a moment, until the note in its place is posted, follows by itself.
    await until('it waits alone', async () => {
      const held = await waiting();
      const refused = held.some((each) => each.code === 'missing_scope');
      return refused && held.every((each) => each.lane === 'publisher.outputs');
    });
    await world.run(s.closed());
    await world.caughtUp();
    const card = await world.posted.get('run:7:card');
    const inThread = async () => (await world.messages()).filter((m) => m.thread_ts === card?.ts);
    expect((await inThread()).filter((m) => m.text.includes('the file is missing'))).toHaveLength(1);
    await world.nothingHeld();
    expect((await inThread()).flatMap((m) => m.files)).toHaveLength(1);
  });
});

const request = { run: 7, gate: 1, requestedAt: 0 };

describe('what a request attaches', () => {
  it.each([
    ['', 0],
    [', found after its sharing ended without an answer', 1],
  ])('counts as read while it stands in the thread%s', async (_how, failures) => {
    if (failures > 0)
      await world.people.failNext({
        method: 'files.completeUploadExternal',
        failure: 'timeout-after-accept',
        count: failures,
      });
    await world.run(...s.preflight(), ...asked);
    await world.caughtUp();
    await world.pool.query("UPDATE m10bot.posted SET updated_at = now() - interval '2 minutes'");
    expect(await world.read(request)).toEqual({ kind: 'read', given: [] });
    const [file] = (await world.messages()).flatMap((m) => m.files);
    await world.people.deleteFile({ id: file?.id ?? '' });
    expect(await world.read(request)).toEqual({ kind: 'gone', ts: file?.id });
    await world.run({ type: 'GateReposted', gate: 1, lost: file?.id ?? '' });
    await world.caughtUp();
    expect(await world.read(request)).toEqual({ kind: 'read', given: [] });
  });

  it('a whole message of it that is deleted is gone as well', async () => {
    await world.run(...s.preflight(), ...asked);
    await world.caughtUp();
    const shared = (await world.messages()).find((m) => m.files.length > 0);
    await world.people.deleteMessage({ channel: world.channel, ts: shared?.ts ?? '' });
    expect(await world.read(request)).toMatchObject({ kind: 'not_asked' });
    await world.pool.query("UPDATE m10bot.posted SET updated_at = now() - interval '2 minutes'");
    expect(await world.read(request)).toEqual({ kind: 'gone', ts: shared?.files[0]?.id });
  });
});

describe('a request that was deleted', () => {
  it.each([
    ['without a trace', []],
    [
      'and had replies',
      [{ type: 'ReactionRejected', gate: 1, by: s.alice, emoji: '+1', code: 'own_request', why: 'no' }],
    ],
  ] as const)('%s stands in the channel again, with its files', async (_how, replies) => {
    await world.run(...s.preflight(), ...asked, ...replies);
    await world.caughtUp();
    const before = await world.posted.get(gate);
    const files = (await world.messages()).flatMap((m) => m.files).length;
    await world.people.deleteMessage({ channel: world.channel, ts: before?.ts ?? '' });
    await world.run({ type: 'GateReposted', gate: 1, lost: before?.ts ?? '' });
    await world.caughtUp();
    const after = await world.posted.get(gate);
    expect(after?.ts).not.toBe(before?.ts);
    const shown = (await world.messages()).find((m) => m.ts === after?.ts);
    expect(shown?.text).toContain('Approval needed');
    expect(JSON.stringify(shown?.blocks)).toContain('Posted again');
    await until(
      'its files are there',
      async () => (await world.messages()).flatMap((m) => m.files).length >= files,
    );
  });
});
