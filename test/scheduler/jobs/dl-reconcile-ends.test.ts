import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { groupState } from '../../../src/clients/m10/dead-letters.js';
import { streamNames } from '../../../src/clients/m10/stream-names.js';
import { openRedis } from '../../../src/clients/redis-connection.js';
import { JobFailure } from '../../../src/scheduler/job.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { startRedis } from '../../../workspace/services/redis.js';
import { failureOf, useStreams } from './streams.js';

const streams = useStreams();
const small = { cap: 6, pages: { first: 3, most: 4 } };

describe('a run that is ended in the middle', () => {
  test('killed before any command: no message is lost, and the next run completes', async () => {
    // A whole run first, to know how many commands there are.
    const job = createDlReconcile(small);
    const probe = await streams.session();
    await streams.fill(11);
    await streams.redis.sadd(streamNames.replayProcessed, 'somebody');
    await job.run(await streams.context({ database: probe.database, redis: async () => probe.redis }));
    const all = probe.count();
    expect(all).toBeGreaterThan(15);
    for (let breakAfter = 0; breakAfter < all; breakAfter += 1) {
      await streams.redis.flushdb();
      await streams.sql('truncate m10_recovery.dead_letter_archive, m10_recovery.replay_log');
      const { messages, letters, others } = await streams.fill(11);
      await streams.redis.sadd(streamNames.replayProcessed, messages[0] ?? '');
      const broken = await streams.session({ breakAfter });
      await expect(
        job.run(await streams.context({ database: broken.database, redis: async () => broken.redis })),
      ).rejects.toThrow(JobFailure);
      const kept = new Set(await streams.archived());
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
      expect([...(await streams.archived())].sort()).toEqual([...letters].sort());
      expect(await streams.pendingIds()).toEqual(others);
      expect(await streams.redis.xlen(streamNames.deadLetters)).toBe(small.cap);
      expect(await streams.sql('select from m10_recovery.replay_log')).toHaveLength(1);
    }
  });

  test('a lost lock, and a signal, stop it before the next batch', async () => {
    const { letters } = await streams.fill(11);
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
    expect(await streams.archived()).toEqual(letters.slice(0, 7));
    const controller = new AbortController();
    controller.abort();
    const told = await createDlReconcile(small).run(await streams.context({ signal: controller.signal }));
    expect(told.counts).toMatchObject({ read: 0, archived: 0, trimmed: 0 });
  });

  test('two replicas at once do it once', async () => {
    const { letters, others } = await streams.fill(60);
    const job = createDlReconcile(small);
    const results = await Promise.all([1, 2, 3].map(async () => job.run(await streams.context())));
    expect([...(await streams.archived())].sort()).toEqual([...letters].sort());
    expect(results.reduce((sum, { counts }) => sum + (counts.acknowledged ?? 0), 0)).toBe(60);
    expect(await streams.pendingIds()).toEqual(others);
    const left = await streams.redis.xrange(streamNames.deadLetters, '-', '+');
    expect(left.map(([id]) => id)).toEqual(letters.slice(-small.cap));
  });
});

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
    const { letters } = await streams.fill(8);
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
    expect([...(await streams.archived())].sort()).toEqual([...letters].sort());
  });

  test('a wrong password', async () => {
    const url = new URL(streams.redisUrl);
    url.password = 'wrong';
    const redis = () => openRedis({ redisUrl: url.href }, 'test');
    const failed = await failureOf(createDlReconcile().run(await streams.context({ redis })));
    expect(failed.message).toContain('WRONGPASS');
    expect(failed.advice).toContain('does not accept the password');
  });

  test('Redis is killed in the middle, and back', async () => {
    const directory = join(streams.world.directory, 'redis-killed');
    let server = await startRedis({ directory });
    try {
      const there = await openRedis({ redisUrl: server.url }, 'test');
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
      expect(await streams.archived()).toHaveLength(9);
      expect(await groupState(back.redis)).toEqual({ kind: 'there', pending: 0 });
    } finally {
      await server.stop();
    }
  });
});
