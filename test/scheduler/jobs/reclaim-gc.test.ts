import { expect, test } from 'vitest';
import { streamNames } from '../../../src/clients/m10/stream-names.js';
import { JobFailure } from '../../../src/scheduler/job.js';
import { createReclaimGc } from '../../../src/scheduler/jobs/reclaim-gc.js';
import { useStreams } from './streams.js';

const streams = useStreams();
const job = createReclaimGc();
const fields = async () => (await streams.redis.hkeys(streamNames.reclaimAttempts)).sort();

async function count(messages: readonly string[]): Promise<void> {
  const pipeline = streams.redis.pipeline();
  for (const message of messages) pipeline.hset(streamNames.reclaimAttempts, message, '3');
  await pipeline.exec();
}

test('counts of messages that are not pending go, the others stay', async () => {
  const [one = '', two = '', three = ''] = await streams.pending(3);
  await streams.redis.xack(streamNames.main, streamNames.group, two);
  await count([one, two, three, '1-1', 'no message', '99999999999999999999-0']);
  const dry = await job.run(await streams.context({ dryRun: true }));
  expect(dry.counts).toEqual({ read: 6, removed: 2, kept: 2, unreadable: 2 });
  expect(dry.output?.split('\n').sort()).toEqual(['1-1', two].sort());
  expect(await fields()).toHaveLength(6);
  const real = await job.run(await streams.context());
  expect(real.counts).toEqual(dry.counts);
  expect(real.summary).toMatch(
    /^Removed 2 reclaim counts .* out of 6; left 2 fields that are no message id\.$/,
  );
  expect(await fields()).toEqual([one, three, 'no message', '99999999999999999999-0'].sort());
  expect((await job.run(await streams.context())).counts).toMatchObject({ removed: 0, kept: 2 });
});

test('10,000 fields are looked through in pages, and a lost lock stops between two', async () => {
  const pending = await streams.pending(5_000);
  const gone = Array.from({ length: 5_000 }, (_, i) => `1-${i + 1}`);
  await count([...pending, ...gone]);
  let asked = 0;
  const held = () => {
    asked += 1;
    return asked <= 3;
  };
  const stopped = await job.run(
    await streams.context({ lock: { name: 'm10:reclaim_gc', holder: 'me', held } }),
  );
  expect(stopped.counts.read).toBeLessThan(4_000);
  expect(stopped.summary).toContain('stopped before the end, since the lock m10:reclaim_gc');
  const session = await streams.session();
  await job.run(await streams.context({ redis: async () => session.redis }));
  expect(await fields()).toEqual([...pending].sort());
  expect(session.count()).toBeLessThan(15);
});

test('killed before any command, and two at once: what is pending keeps its count', async () => {
  const pending = await streams.pending(1_500);
  const gone = Array.from({ length: 1_500 }, (_, i) => `1-${i + 1}`);
  for (let breakAfter = 0; breakAfter < 3; breakAfter += 1) {
    await count([...pending, ...gone]);
    const broken = await streams.session({ breakAfter });
    await expect(job.run(await streams.context({ redis: async () => broken.redis }))).rejects.toThrow(
      JobFailure,
    );
    expect(await fields()).toEqual(expect.arrayContaining(pending));
    const contexts = [await streams.context(), await streams.context()];
    await Promise.all(contexts.map((context) => job.run(context)));
    expect(await fields()).toEqual([...pending].sort());
  }
});

test('a message that becomes pending again meanwhile keeps its count', async () => {
  const messages = await streams.pending(600);
  await count(messages);
  const session = await streams.session();
  await streams.redis.xack(streamNames.main, streamNames.group, ...messages);
  const claim = (ids: readonly string[]) =>
    streams.redis.xclaim(streamNames.main, streamNames.group, 'other', 0, ...ids, 'FORCE');
  const half = messages.slice(0, 300);
  await Promise.all([
    job.run(await streams.context({ redis: async () => session.redis })),
    claim(half).then(() => count(half)),
  ]);
  await job.run(await streams.context());
  expect(await fields()).toEqual([...half].sort());
});

test('no group is a failure that says what to do, unless there is nothing to collect', async () => {
  expect((await job.run(await streams.context())).counts).toMatchObject({ read: 0 });
  await count(['1-1']);
  await expect(job.run(await streams.context())).rejects.toMatchObject({
    name: 'JobFailure',
    message: expect.stringContaining('NOGROUP'),
    advice: expect.stringContaining('redis-url'),
  });
  expect(await fields()).toEqual(['1-1']);
  await streams.redis.set(streamNames.reclaimAttempts, 'text');
  await expect(job.run(await streams.context())).rejects.toMatchObject({
    message: expect.stringContaining('WRONGTYPE'),
    advice: expect.stringContaining('another type'),
  });
});
