import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { groupState } from '../../../src/clients/m10/dead-letters.js';
import { streamNames } from '../../../src/clients/m10/stream-names.js';
import { openRedis } from '../../../src/clients/redis-connection.js';
import { JobFailure } from '../../../src/scheduler/job.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { startRedis } from '../../../workspace/services/redis.js';
import { useStreams } from './streams.js';

const streams = useStreams();
const small = { cap: 6, pages: { first: 3, most: 4 } };
const archived = async () =>
  (await streams.sql('select dl_msg_id from m10_recovery.dead_letter_archive order by id')).map((row) =>
    String(row.dl_msg_id),
  );

/** Some dead letters of pending messages, and pending messages without one. */
async function fill(count: number, others = 2) {
  const messages = await streams.pending(count + others);
  const letters: string[] = [];
  for (const message of messages.slice(0, count)) letters.push(await streams.deadLetter(message));
  return { messages: messages.slice(0, count), letters, others: messages.slice(count) };
}

describe('what a run does', () => {
  test('every dead letter is archived, its message acknowledged, and nothing else', async () => {
    const { letters, others } = await fill(10);
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
    expect(await archived()).toEqual(letters);
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
    await fill(5);
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
    const { letters } = await fill(15);
    const result = await createDlReconcile(small).run(await streams.context());
    expect(result.counts).toMatchObject({ read: 15, archived: 15, trimmed: 9 });
    const left = await streams.redis.xrange(streamNames.deadLetters, '-', '+');
    expect(left.map(([id]) => id)).toEqual(letters.slice(9));
    expect(await archived()).toEqual(letters);
  });

  test('a dry run tells the same figures and changes nothing', async () => {
    const { messages } = await fill(9);
    await streams.redis.sadd(streamNames.replayProcessed, messages[0] ?? '');
    const job = createDlReconcile(small);
    const dry = await job.run(await streams.context({ dryRun: true }));
    expect(await archived()).toEqual([]);
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
    expect(await archived()).toEqual(expect.arrayContaining([...odd, last]));
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
    const { letters, messages } = await fill(12);
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
    const { messages, letters } = await fill(4);
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

describe('a run that is ended in the middle', () => {
  test('killed before any command: no message is lost, and the next run completes', async () => {
    // A whole run first, to know how many commands there are.
    const job = createDlReconcile(small);
    const probe = await streams.session();
    await fill(11);
    await streams.redis.sadd(streamNames.replayProcessed, 'somebody');
    await job.run(await streams.context({ database: probe.database, redis: async () => probe.redis }));
    const all = probe.count();
    expect(all).toBeGreaterThan(15);
    for (let breakAfter = 0; breakAfter < all; breakAfter += 1) {
      await streams.redis.flushdb();
      await streams.sql('truncate m10_recovery.dead_letter_archive, m10_recovery.replay_log');
      const { messages, letters, others } = await fill(11);
      await streams.redis.sadd(streamNames.replayProcessed, messages[0] ?? '');
      const broken = await streams.session({ breakAfter });
      await expect(
        job.run(await streams.context({ database: broken.database, redis: async () => broken.redis })),
      ).rejects.toThrow(JobFailure);
      const kept = new Set(await archived());
      const inStream = new Set(
        (await streams.redis.xrange(streamNames.deadLetters, '-', '+')).map(([id]) => id),
      );
      const pending = new Set(await streams.pendingIds());
      for (const [at, letter] of letters.entries()) {
        expect(kept.has(letter) || inStream.has(letter), `${letter} after ${breakAfter}`).toBe(true);
        // What nobody waits for any more stands in the archive.
        expect(kept.has(letter) || pending.has(messages[at] ?? ''), `${letter} after ${breakAfter}`).toBe(
          true,
        );
      }
      await job.run(await streams.context());
      expect([...(await archived())].sort()).toEqual([...letters].sort());
      expect(await streams.pendingIds()).toEqual(others);
      expect(await streams.redis.xlen(streamNames.deadLetters)).toBe(small.cap);
      expect(await streams.sql('select from m10_recovery.replay_log')).toHaveLength(1);
    }
  });

  test('a lost lock, and a signal, stop it before the next batch', async () => {
    const { letters } = await fill(11);
    let asked = 0;
    const lost = await createDlReconcile(small).run(
      await streams.context({
        lock: {
          name: 'm10:reconcile_dl',
          holder: 'me',
          held: () => {
            asked += 1;
            return asked <= 2;
          },
        },
      }),
    );
    expect(lost.counts).toMatchObject({ read: 7, archived: 7, acknowledged: 7, trimmed: 0 });
    expect(lost.summary).toContain('the lock m10:reconcile_dl is not surely ours any more');
    expect(await archived()).toEqual(letters.slice(0, 7));
    const controller = new AbortController();
    controller.abort();
    const told = await createDlReconcile(small).run(await streams.context({ signal: controller.signal }));
    expect(told.counts).toMatchObject({ read: 0, archived: 0, trimmed: 0 });
  });

  test('two replicas at once do it once', async () => {
    const { letters, others } = await fill(60);
    const job = createDlReconcile(small);
    const results = await Promise.all([1, 2, 3].map(async () => job.run(await streams.context())));
    expect([...(await archived())].sort()).toEqual([...letters].sort());
    expect(results.reduce((sum, { counts }) => sum + (counts.acknowledged ?? 0), 0)).toBe(60);
    expect(await streams.pendingIds()).toEqual(others);
    const left = await streams.redis.xrange(streamNames.deadLetters, '-', '+');
    expect(left.map(([id]) => id)).toEqual(letters.slice(-small.cap));
  });
});

async function failureOf(work: Promise<unknown>): Promise<JobFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof JobFailure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('failures say what to do', () => {
  test('no group: all is archived, and the failure tells', async () => {
    await streams.deadLetter('1-1');
    const failed = await failureOf(createDlReconcile().run(await streams.context()));
    expect(failed.message).toContain('m10:evaluate:group of m10:evaluate:stream does not exist');
    expect(failed.counts).toMatchObject({ archived: 1 });
    expect(failed.advice).toContain('redis-url');
  });

  test('a key of another type', async () => {
    await streams.redis.set(streamNames.deadLetters, 'text');
    const failed = await failureOf(createDlReconcile().run(await streams.context()));
    expect(failed.message).toContain('WRONGTYPE');
    expect(failed.advice).toContain('another type');
  });

  test('the database is gone in the middle, and back', async () => {
    const { letters } = await fill(8);
    const { database, redis, count } = await streams.session();
    const failed = await createDlReconcile(small)
      .run(
        await streams.context({
          redis: async () => redis,
          database: {
            ...database,
            async rows(schema, sql, parameters) {
              if (count() >= 6) await streams.sql('select pg_terminate_backend($1)', database.backendPid);
              return database.rows(schema, sql, parameters);
            },
          },
        }),
      )
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(JobFailure);
    expect(String(failed)).toMatch(/the database connection was lost/);
    const again = await createDlReconcile(small).run(await streams.context());
    expect(again.counts.read).toBe(8);
    expect([...(await archived())].sort()).toEqual([...letters].sort());
  });

  test('a wrong password', async () => {
    const url = new URL(streams.redisUrl);
    url.password = 'wrong';
    const redis = () => openRedis(url.href, 'test');
    const failed = await failureOf(createDlReconcile().run(await streams.context({ redis })));
    expect(failed.message).toContain('WRONGPASS');
    expect(failed.advice).toContain('does not accept the password');
  });

  test('Redis is killed in the middle, and back', async () => {
    const directory = join(streams.world.directory, 'redis-killed');
    let server = await startRedis({ directory });
    try {
      const there = await openRedis(server.url, 'test');
      await there.xgroup('CREATE', streamNames.main, streamNames.group, '0', 'MKSTREAM');
      for (let i = 0; i < 9; i += 1) {
        const id = String(await there.xadd(streamNames.main, '*', 'body', 'text'));
        await there.xadd(streamNames.deadLetters, '*', 'original_msg_id', id);
      }
      await there.xreadgroup('GROUP', streamNames.group, 'w', 'STREAMS', streamNames.main, '>');
      there.disconnect();
      const own = await streams.session({
        redisUrl: server.url,
        onCommand: (count) => {
          if (count === 8) process.kill(server.pid, 'SIGKILL');
        },
      });
      const failed = await failureOf(
        createDlReconcile(small).run(
          await streams.context({ database: own.database, redis: async () => own.redis }),
        ),
      );
      expect(failed.message).toMatch(/^The reconciliation of dead letters stopped: Redis: /);
      expect(failed.advice).toContain('Redis cannot be reached');
      expect(failed.counts.archived).toBeGreaterThan(0);
      await server.stop();
      server = await startRedis({ directory });
      const back = await streams.session({ redisUrl: server.url });
      const again = await createDlReconcile(small).run(
        await streams.context({ redis: async () => back.redis }),
      );
      expect(again.counts).toMatchObject({ read: 9, trimmed: 3 });
      expect(await archived()).toHaveLength(9);
      expect(await groupState(back.redis)).toEqual({ kind: 'there', pending: 0 });
    } finally {
      await server.stop();
    }
  });
});
