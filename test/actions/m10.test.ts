import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deadLetterReplay } from '../../src/actions/dead-letter-replay.js';
import { locksRelease } from '../../src/actions/locks-release.js';
import { outboxRetry } from '../../src/actions/outbox-retry.js';
import { replaysCleanup } from '../../src/actions/replays-cleanup.js';
import { streamNames } from '../../src/clients/m10/stream-names.js';
import type { TargetConfig } from '../../src/config.js';
import type { StepKind } from '../../src/runbook/step-kind.js';
import {
  after,
  before,
  bind,
  contextOf,
  createWorld,
  probe,
  run,
  sql,
  type World,
  withClient,
} from '../checks/world.js';
import { type FreshRedis, freshRedis } from '../support/database.js';

let world: World;
let redis: FreshRedis;
let client: Redis;
let target: TargetConfig;
let bare: TargetConfig;

beforeAll(async () => {
  world = await createWorld();
  redis = await freshRedis();
  client = new Redis(redis.url);
  const at022 = await world.databaseAt(after);
  target = world.target({ databaseUrl: at022.url, redisUrl: redis.url });
  bare = world.target({ databaseUrl: (await world.databaseAt(before)).url, redisUrl: redis.url });
});
afterAll(async () => {
  client.disconnect();
  await redis.drop();
  await world.drop();
});
beforeEach(async () => {
  await sql(
    target.databaseUrl,
    'TRUNCATE m10_recovery.distributed_locks, m10_recovery.replay_log, m10_recovery.dead_letter_archive',
  );
  await client.flushdb();
});

const ask = (text: string) => sql(target.databaseUrl, text);
const survey = (kind: StepKind<TargetConfig>, args: unknown, on = target) =>
  bind(kind, args).survey?.(contextOf(on)) ?? Promise.reject(new Error('there is no survey'));
const nowhere = () => world.target({ databaseUrl: 'postgresql://x:y@127.0.0.1:1/z', redisUrl: redis.url });

/** A session of the attempt that is still at work. */
async function whileItsSessionLives<T>(name: string, work: () => Promise<T>): Promise<T> {
  return withClient(target.databaseUrl, work, name);
}

describe('locks.release', () => {
  const kind = locksRelease();
  const lock = 'm10:reclaim_gc';

  /** Takes the lock as a worker does; the arguments of a step that takes it away again. */
  async function taken(holder: string, ttl = 300) {
    const acquired = await withClient(target.databaseUrl, async (session) => {
      await session.query('SELECT m10_recovery.acquire_lock($1, $2, $3)', [lock, holder, ttl]);
      const { rows } = await session.query<{ at: string }>(
        `SELECT to_char(acquired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
           FROM m10_recovery.distributed_locks WHERE lock_name = $1`,
        [lock],
      );
      return rows[0]?.at ?? expect.unreachable();
    });
    return { lock, holder, 'acquired-at': acquired };
  }
  const holders = async () =>
    (await ask('SELECT holder_id FROM m10_recovery.distributed_locks')).map((row) => row.holder_id);

  it('takes the lock from the holder that was seen, and says so', async () => {
    const args = await taken("worker-3's");
    const context = contextOf(target);
    const described = bind(kind, args).describe(context);
    expect(described.words).toContain("Take the lock m10:reclaim_gc of production away from worker-3's");
    expect(described.commands[0]).toContain("holder_id = 'worker-3''s'");
    expect(await probe(kind, args, context)).toMatchObject({ kind: 'not_done' });
    expect(await run(kind, args, context)).toMatchObject({
      result: 'passed',
      summary: expect.stringMatching(/was taken from worker-3's, who had held it for .*; it is free now/),
    });
    expect(await holders()).toEqual([]);
    expect(await probe(kind, args, context)).toMatchObject({ kind: 'done', outcome: { result: 'passed' } });
  });

  it('runs exactly the statement that it shows', async () => {
    const args = await taken('worker-3');
    const [command = ''] = bind(kind, args).describe(contextOf(target)).commands;
    await ask(command);
    expect(await holders()).toEqual([]);
  });

  it('takes nothing from anybody else, nor from the same holder once it took the lock anew', async () => {
    const args = await taken('worker-3');
    await ask(`UPDATE m10_recovery.distributed_locks SET holder_id = 'worker-9'`);
    expect(await run(kind, args, contextOf(target))).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining(
        'nothing was released: m10:reclaim_gc of production is held by worker-9',
      ),
    });
    await ask(
      `UPDATE m10_recovery.distributed_locks SET holder_id = 'worker-3', acquired_at = acquired_at + interval '1 s'`,
    );
    expect(await run(kind, args, contextOf(target))).toMatchObject({ result: 'failed' });
    expect(await holders()).toEqual(['worker-3']);
    expect(await probe(kind, args, contextOf(target))).toMatchObject({ kind: 'done' });
  });

  it('has nothing to take from a holder that gave the lock back', async () => {
    const args = await taken('worker-3');
    await ask(`SELECT m10_recovery.release_lock('${lock}', 'worker-3')`);
    expect(await run(kind, args, contextOf(target))).toMatchObject({
      result: 'passed',
      summary: 'm10:reclaim_gc of production is free: worker-3 had given it back before',
    });
  });

  it('shows the holder and its last heartbeat, and binds the approval to the holder but not to the heartbeat', async () => {
    const args = await taken('worker-3');
    await ask(`UPDATE m10_recovery.distributed_locks SET acquired_at = acquired_at - interval '20 min',
      expires_at = expires_at - interval '2 min'`);
    const aged = {
      ...args,
      'acquired-at': new Date(Date.parse(args['acquired-at']) - 20 * 60_000).toISOString(),
    };
    const seen = await survey(kind, aged);
    if (seen.kind === 'failed') return expect.unreachable(seen.why);
    expect(seen.parts).toEqual({ holder: 'worker-3', 'held since': aged['acquired-at'] });
    expect(seen.warnings.join('\n')).toMatch(/worker-3 has held it for 20 min, since/);
    expect(seen.warnings.join('\n')).toMatch(/Last heartbeat (\d+ s|2 min) ago.* it expires by itself in/);
    expect(seen.warnings.join('\n')).toContain('It is the lock of reclaim-gc');
    await ask(`SELECT m10_recovery.extend_lock('${lock}', 'worker-3', 300)`);
    expect(await survey(kind, aged)).toMatchObject({ parts: seen.parts });
    await ask(`UPDATE m10_recovery.distributed_locks SET holder_id = 'worker-9'`);
    expect(await survey(kind, aged)).toMatchObject({
      parts: { holder: 'worker-9' },
      warnings: expect.arrayContaining([
        expect.stringMatching(/changed hands since it was asked for: worker-9/),
      ]),
    });
    await ask('DELETE FROM m10_recovery.distributed_locks');
    expect(await survey(kind, aged)).toMatchObject({ parts: { holder: 'nobody' } });
  });

  it('says what is missing: the objects of 022, the privilege, the database', async () => {
    const args = await taken('worker-3');
    expect(await survey(kind, args, bare)).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('does not have the M10 objects of revision 022'),
    });
    expect(await run(kind, args, contextOf(bare))).toMatchObject({ result: 'failed' });
    expect(await run(kind, args, contextOf(nowhere()))).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('cannot be reached'),
    });
    expect(await probe(kind, args, contextOf(nowhere()))).toMatchObject({ kind: 'unknown' });
    const role = await weakRole();
    expect(await run(kind, args, contextOf(role))).toMatchObject({
      result: 'failed',
      summary: expect.stringMatching(/did not happen: The bot's role on production may not do that/),
      output: expect.stringContaining('GRANT'),
    });
    expect(await holders()).toEqual(['worker-3']);
  });

  it('waits for its own session after a crash', async () => {
    const args = await taken('worker-3');
    const context = contextOf(target);
    await whileItsSessionLives(context.applicationName, async () => {
      expect(await probe(kind, args, context)).toMatchObject({ kind: 'running' });
    });
  });
});

/** The target as a role that may read the M10 objects and delete nothing. */
async function weakRole(): Promise<TargetConfig> {
  const url = new URL(target.databaseUrl);
  const name = `weak_${url.pathname.slice(-10)}`;
  await ask(`DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') THEN CREATE ROLE "${name}" LOGIN PASSWORD 'weak'; END IF;
  END $$`);
  await ask(`GRANT USAGE ON SCHEMA m10_recovery TO "${name}"`);
  await ask(`GRANT SELECT ON ALL TABLES IN SCHEMA m10_recovery TO "${name}"`);
  url.username = name;
  url.password = 'weak';
  return { ...target, databaseUrl: url.href };
}

describe('replays.cleanup', () => {
  const kind = replaysCleanup();
  const cutoff = new Date(Date.now() - 30 * 86_400_000).toISOString();
  const args = { before: cutoff };

  const fill = (count: number, age: string) =>
    ask(`INSERT INTO m10_recovery.replay_log (original_msg_id, dl_msg_id, replayed_at)
      SELECT '${age}-' || n, 'x', '${cutoff}'::timestamptz - interval '${age}' FROM generate_series(1, ${count}) AS n`);
  const left = async () => Number((await ask('SELECT count(*) FROM m10_recovery.replay_log'))[0]?.count);

  it('deletes in batches what is older than the moment, and nothing else', async () => {
    await fill(2_300, '1 day');
    await fill(5, '-1 second');
    const seen = await survey(kind, args);
    expect(seen).toMatchObject({
      parts: { entries: '2300', before: cutoff },
      warnings: [expect.stringMatching(/^2300 entries will go, from /)],
    });
    expect(await probe(kind, args, contextOf(target))).toEqual({
      kind: 'not_done',
      evidence: '2300 entries of them are left',
    });
    expect(await run(kind, args, contextOf(target))).toMatchObject({
      result: 'passed',
      summary: expect.stringContaining('deleted 2300 entries'),
      data: { deleted: 2_300 },
    });
    expect(await left()).toBe(5);
    expect(await probe(kind, args, contextOf(target))).toMatchObject({ kind: 'done' });
  });

  it('stops between two batches, and says how far it came', async () => {
    await fill(10, '1 day');
    const signal = AbortSignal.abort();
    expect(await run(kind, args, contextOf(target, { signal }))).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('stopped before the end: deleted 0 entries'),
    });
    expect(await left()).toBe(10);
  });

  it('finds before anybody approves that the role may not delete', async () => {
    expect(await survey(kind, args, await weakRole())).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('lacks DELETE on m10_recovery.replay_log'),
    });
    expect(await survey(kind, args, bare)).toMatchObject({ kind: 'failed' });
    expect(await run(kind, args, contextOf(await weakRole()))).toMatchObject({ result: 'failed' });
  });

  it('waits for its own session after a crash', async () => {
    await fill(1, '1 day');
    const context = contextOf(target);
    await whileItsSessionLives(context.applicationName, async () => {
      expect(await probe(kind, args, context)).toMatchObject({ kind: 'running' });
    });
    expect(await probe(kind, args, contextOf(nowhere()))).toMatchObject({ kind: 'unknown' });
  });
});

describe('dead-letter.replay', () => {
  const kind = deadLetterReplay();

  /** A message that was read, given up, and written to the dead letters. */
  async function deadLetter(): Promise<{ original: string; message: string }> {
    await client
      .xgroup('CREATE', streamNames.main, streamNames.group, '0', 'MKSTREAM')
      .catch(() => undefined);
    const original =
      (await client.xadd(streamNames.main, '*', 'candidate_id', '7', 'payload', '{"a":1}')) ?? '';
    await client.xreadgroup('GROUP', streamNames.group, 'w', 'COUNT', 1, 'STREAMS', streamNames.main, '>');
    const message =
      (await client.xadd(
        streamNames.deadLetters,
        '*',
        ...['candidate_id', '7', 'payload', '{"a":1}'],
        ...['original_msg_id', original, 'reason', 'max retries', 'reclaim_count', '3'],
      )) ?? '';
    return { original, message };
  }

  it('puts a message back once, whichever of its ids is named', async () => {
    const { original, message } = await deadLetter();
    const context = contextOf(target);
    expect(await survey(kind, { message })).toMatchObject({
      parts: { 'dead letter': message, message: original },
      warnings: expect.arrayContaining([expect.stringContaining('max retries')]),
    });
    expect(await probe(kind, { message }, context)).toMatchObject({ kind: 'not_done' });
    const outcome = await run(kind, { message }, context);
    expect(outcome).toMatchObject({ result: 'passed', data: { original, deadLetter: message } });
    expect(await client.xlen(streamNames.main)).toBe(2);
    expect(await probe(kind, { message }, context)).toMatchObject({ kind: 'done' });

    expect(await survey(kind, { message: original })).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('was put back already'),
    });
    expect(await run(kind, { message: original }, contextOf(target))).toMatchObject({ result: 'failed' });
    expect(await client.xlen(streamNames.main)).toBe(2);
  });

  it('says that there is none, and that it cannot ask', async () => {
    const args = { message: '1765000000000-0' };
    expect(await survey(kind, args)).toMatchObject({ why: 'production has no dead letter 1765000000000-0' });
    expect(await run(kind, args, contextOf(target))).toMatchObject({ result: 'failed' });
    expect(await probe(kind, args, contextOf(target))).toMatchObject({ kind: 'unknown' });
    const dark = { ...target, redisUrl: 'redis://127.0.0.1:1/0' };
    expect(await survey(kind, args, dark)).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('The Redis of production did not do it'),
    });
    expect(await run(kind, args, contextOf({ ...target, redisUrl: null }))).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('has no Redis in the configuration'),
    });
  });
});

describe('outbox.retry', () => {
  const kind = outboxRetry();
  const args = { event: 7 };
  const event = async (columns: string, values: string) => {
    await ask('TRUNCATE m10_recovery.outbox');
    await ask(`INSERT INTO m10_recovery.outbox (id, aggregate_type, aggregate_id, event_type, payload, ${columns})
      VALUES (7, 'candidate', '7', 'http:notify', '{}', ${values})`);
  };
  const row = async () =>
    (
      await ask(
        'SELECT retry_count, next_retry_at IS NULL AS due, processed_at IS NULL AS pending FROM m10_recovery.outbox',
      )
    )[0];
  const waits = () => event('retry_count, next_retry_at', `3, now() + interval '1 hour'`);
  const dead = () =>
    event('retry_count, last_error, processed_at', `5, 'Dead letter after 5 tries: 503', now()`);

  it('makes an event due, and brings a dead letter back', async () => {
    await waits();
    expect(await survey(kind, args)).toMatchObject({
      parts: { 'event type': 'http:notify', 'given up': 'no' },
      warnings: [expect.stringMatching(/waits for its next try/)],
    });
    expect(await probe(kind, args, contextOf(target))).toMatchObject({ kind: 'not_done' });
    expect(await run(kind, args, contextOf(target))).toMatchObject({ result: 'passed' });
    expect(await row()).toEqual({ retry_count: 3, due: true, pending: true });
    expect(await probe(kind, args, contextOf(target))).toMatchObject({ kind: 'done' });
    await dead();
    expect(await survey(kind, args)).toMatchObject({ parts: { 'given up': 'yes' } });
    expect(await run(kind, args, contextOf(target))).toMatchObject({ result: 'passed' });
    expect(await row()).toEqual({ retry_count: 0, due: true, pending: true });
  });

  it('says what is in the way', async () => {
    await ask('TRUNCATE m10_recovery.outbox');
    expect(await survey(kind, args)).toMatchObject({
      kind: 'failed',
      why: expect.stringMatching(/no event 7/),
    });
    expect(await run(kind, args, contextOf(target))).toMatchObject({ result: 'failed' });
    expect(await survey(kind, args, nowhere())).toMatchObject({ kind: 'failed' });
    expect(await run(kind, args, contextOf(nowhere()))).toMatchObject({ result: 'failed' });
    expect(await probe(kind, args, contextOf(nowhere()))).toMatchObject({ kind: 'unknown' });
  });

  it('is running while its session lives', async () => {
    await waits();
    const context = contextOf(target);
    await whileItsSessionLives(context.applicationName, async () => {
      expect(await probe(kind, args, context)).toMatchObject({ kind: 'running' });
    });
  });
});
