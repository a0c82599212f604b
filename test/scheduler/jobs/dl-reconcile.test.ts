import { describe, expect, test } from 'vitest';
import { streamNames } from '../../../src/clients/m10/stream-names.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { failureOf, useStreams } from './streams.js';

const streams = useStreams();
const small = { cap: 6, pages: { first: 3, most: 4 } };

describe('what a run does', () => {
  test('every dead letter is archived, its message acknowledged, and nothing else', async () => {
    const { letters, others } = await streams.fill(10);
    const seen: [string, number][] = [];
    const observer = {
      lock: () => {},
      outbox: () => {},
      archived: (source: string, count: number) => seen.push([source, count]),
      retentionDeleted: () => {},
      jobRun: () => {},
    };
    const result = await createDlReconcile({ observer, pages: small.pages }).run(await streams.context());
    expect(result.counts).toMatchObject({
      read: 10,
      archived: 10,
      alreadyArchived: 0,
      acknowledged: 10,
      malformed: 0,
      trimmed: 0,
      replaysRecorded: 0,
    });
    expect(await streams.archived()).toEqual(letters);
    expect(await streams.pendingIds()).toEqual(others);
    expect(await streams.redis.xlen(streamNames.deadLetters)).toBe(10);
    expect(seen.reduce((sum, [, count]) => sum + count, 0)).toBe(10);
    const [row] = await streams.sql(
      'select *, candidate_id::int as candidate from m10_recovery.dead_letter_archive order by id limit 1',
    );
    expect(row).toMatchObject({
      candidate: 7,
      failure_match_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
      reason: 'too many reclaims',
      reclaim_count: 5,
      archived_by: 'dl-reconcile:test:host:1',
      payload: { body: 'a message', reclaim_count: '5' },
    });
    expect(new Date(String(row?.dead_lettered_at)).getTime()).toBeGreaterThan(Date.now() - 600_000);
  });

  test('a second run finds all as it is', async () => {
    await streams.fill(5);
    const job = createDlReconcile(small);
    await job.run(await streams.context());
    const before = await streams.sql(
      'select ctid::text, * from m10_recovery.dead_letter_archive order by id',
    );
    const again = await job.run(await streams.context());
    expect(again.counts).toMatchObject({ read: 5, archived: 0, alreadyArchived: 5, acknowledged: 0 });
    // Not even a new version of a row.
    const now = await streams.sql('select ctid::text, * from m10_recovery.dead_letter_archive order by id');
    expect(now).toEqual(before);
  });

  test('the stream is cut to its cap, oldest first, and only after the archive has them', async () => {
    const { letters } = await streams.fill(15);
    const result = await createDlReconcile(small).run(await streams.context());
    expect(result.counts).toMatchObject({ read: 15, archived: 15, trimmed: 9 });
    const left = await streams.redis.xrange(streamNames.deadLetters, '-', '+');
    expect(left.map(([id]) => id)).toEqual(letters.slice(9));
    expect(await streams.archived()).toEqual(letters);
  });

  test('a dry run tells the same figures and changes nothing', async () => {
    const { messages } = await streams.fill(9);
    await streams.redis.sadd(streamNames.replayProcessed, messages[0] ?? '');
    const job = createDlReconcile(small);
    const dry = await job.run(await streams.context({ dryRun: true }));
    expect(await streams.archived()).toEqual([]);
    expect(await streams.pendingIds()).toHaveLength(11);
    expect(await streams.redis.xlen(streamNames.deadLetters)).toBe(9);
    expect(await streams.sql('select from m10_recovery.replay_log')).toEqual([]);
    expect(dry.output).toContain(`${messages[3]} is pending and would be acknowledged`);
    expect(dry.summary).toMatch(/would be archived/);
    const real = await job.run(await streams.context());
    expect(dry.counts).toEqual(real.counts);
    expect(real.counts).toMatchObject({ acknowledged: 9, trimmed: 3, replaysRecorded: 1 });
  });

  test('nothing there is nothing wrong', async () => {
    const result = await createDlReconcile().run(await streams.context());
    expect(result.summary).toBe('There are no dead letters in the stream.');
  });

  test('10,000 pending and 10,200 dead letters', async () => {
    const messages = await streams.pending(10_000);
    const pipeline = streams.redis.pipeline();
    for (let i = 0; i < 10_200; i += 1) {
      const original = messages[i] ?? `1-${i}`;
      pipeline.xadd(streamNames.deadLetters, '*', 'original_msg_id', original, 'candidate_id', String(i));
    }
    await pipeline.exec();
    const result = await createDlReconcile().run(await streams.context());
    expect(result.counts).toMatchObject({
      read: 10_200,
      archived: 10_200,
      acknowledged: 10_000,
      trimmed: 200,
    });
    expect(await streams.pendingIds()).toEqual([]);
    expect(await streams.redis.xlen(streamNames.deadLetters)).toBe(10_000);
  });
});

describe('entries that cannot be read', () => {
  test('are archived as they are and counted, and hold nobody up', async () => {
    const [good = ''] = await streams.pending(1);
    const odd = [
      await streams.deadLetter(null),
      await streams.deadLetter('no id at all'),
      await streams.deadLetter('99999999999999999999-0'),
      await streams.deadLetter('1-1', { payload: '{"cut": ' }),
      await streams.deadLetter('1-2', { candidate_id: '99999999999999999999', reclaim_count: 'many' }),
      await streams.deadLetter('1-3', { failure_match_id: 'nobody' }),
      await streams.deadLetter('1-4', { body: Buffer.from([0xff, 0x00, 0xfe]) }),
      await streams.deadLetter('1-5', { reason: 'with a \u0000 in it' }),
    ];
    await streams.redis.xadd(streamNames.deadLetters, '*', 'a', '1', 'a', '2', 'original_msg_id', '1-6');
    const last = await streams.deadLetter(good);
    const result = await createDlReconcile(small).run(await streams.context());
    expect(result.counts).toMatchObject({
      read: 10,
      archived: 10,
      acknowledged: 1,
      malformed: 9,
      trimmed: 4,
    });
    expect(await streams.archived()).toEqual(expect.arrayContaining([...odd, last]));
    expect(await streams.pendingIds()).toEqual([]);
    expect(result.output).toContain('there is no original_msg_id');
  });

  test('a huge entry is archived beside small ones', async () => {
    const body = 'x'.repeat(12_000_000);
    await streams.pending(1);
    await streams.deadLetter('1-1', { body });
    await streams.deadLetter('1-2');
    await streams.deadLetter('1-3', { body });
    await streams.deadLetter('1-4');
    const result = await createDlReconcile().run(await streams.context());
    expect(result.counts).toMatchObject({ read: 4, archived: 4, malformed: 0 });
    const sizes = await streams.sql(
      "select length(payload->>'body') as size from m10_recovery.dead_letter_archive order by id",
    );
    expect(sizes.map((row) => row.size)).toEqual([body.length, 9, body.length, 9]);
  });

  test('what the archive refuses stays, with all after it, and fails the job by its name', async () => {
    const { letters, messages } = await streams.fill(12);
    const bad = letters[4] ?? '';
    await streams.sql(
      `alter table m10_recovery.dead_letter_archive add constraint refuses check (dl_msg_id <> '${bad}')`,
    );
    try {
      const failed = await failureOf(createDlReconcile(small).run(await streams.context()));
      expect(failed.message).toMatch(/does not take 1 dead letter/);
      expect(failed.output).toContain(`${bad} could not be archived`);
      expect(failed.counts).toMatchObject({
        read: 12,
        archived: 11,
        acknowledged: 11,
        refused: 1,
        trimmed: 4,
      });
      expect(await streams.pendingIds()).toContain(messages[4]);
      const left = await streams.redis.xrange(streamNames.deadLetters, '-', '+');
      expect(left.map(([id]) => id)).toEqual(letters.slice(4));
    } finally {
      await streams.sql('alter table m10_recovery.dead_letter_archive drop constraint refuses');
    }
  });
});

describe('replays', () => {
  const log = () =>
    streams.sql(
      'select original_msg_id, dl_msg_id, new_msg_id from m10_recovery.replay_log order by original_msg_id',
    );

  test('what the set of replayed messages names is recorded, once', async () => {
    const { messages, letters } = await streams.fill(4);
    await streams.redis.sadd(streamNames.replayProcessed, messages[1] ?? '', letters[2] ?? '', 'another');
    const job = createDlReconcile(small);
    expect((await job.run(await streams.context())).counts).toMatchObject({ replaysRecorded: 2 });
    expect(await log()).toEqual([
      { original_msg_id: messages[1], dl_msg_id: letters[1], new_msg_id: null },
      { original_msg_id: messages[2], dl_msg_id: letters[2], new_msg_id: null },
    ]);
    expect((await job.run(await streams.context())).counts).toMatchObject({ replaysRecorded: 0 });
  });

  test('a replayed message that was given up again proves its replay', async () => {
    const key = '0f8fad5b-d9cb-469f-a165-70867728950e';
    await streams.deadLetter('9-1', { replay_of: '5-0', replay_key: key });
    await streams.pending(1);
    const result = await createDlReconcile().run(await streams.context());
    expect(result.counts).toMatchObject({ replaysRecorded: 1 });
    expect(await log()).toEqual([{ original_msg_id: '5-0', dl_msg_id: null, new_msg_id: '9-1' }]);
  });
});
