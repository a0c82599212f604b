import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { streamNames } from '../../src/clients/m10/stream-names.js';
import { Runbook } from '../../src/runbook/definition.js';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { USERS } from '../../workspace/slack/people.js';
import { eventually } from '../support/processes.js';
import {
  approve,
  buttons,
  eventsOf,
  gate,
  happened,
  keepChannel,
  stepSessions,
  told,
  words,
} from './acts.js';
import { apply, look, openShelf, phase, type Shelf, short022 } from './runbooks.js';
import { channel, openTheatre, type Play, type Theatre } from './support.js';

// A busy machine takes its time; what is waited for has deadlines of its own.
vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
let play: Play;
let redis: Redis;

/** Production at 022 within run 1, which stays open: one phase is left. No job's schedule is on. */
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
  const runbook = Runbook.parse({
    ...(await short022()),
    phases: [
      phase('preflight', [look('preflight.staging')], { gate: 'none' }),
      phase('apply', [apply('production')], { on: 'production' }),
      phase('later', [apply('staging')], { on: 'staging' }),
    ],
  });
  play = await theatre.open({ runbook: await shelf.write(runbook) });
  redis = new Redis(play.trial.redis.production);
  await play.preflight();
  await play.phase(1);
  await play.text(/Run 1: phase apply .* is done/);
}, 180_000);
afterAll(async () => {
  if (play !== undefined) await keepChannel(play, 'operations');
  redis?.disconnect();
  await theatre.close();
  await shelf.close();
});

/** The answer to a look, which the whole channel sees. */
async function shown(text: string, title: RegExp): Promise<string> {
  const { messages } = await play.trial.people.read({ channel });
  const seen = new Set(messages.map((m) => m.ts));
  await play.say('dave', text);
  const answer = await play.trial.people.waitFor(
    channel,
    (m) => !seen.has(m.ts) && title.test(m.text),
    30_000,
  );
  return words(answer);
}

/** What the channel is told of a quick change, once it has ended. */
/** The operation's own message, not the reply in its thread that calls whoever asked. */
const operation = (pattern: RegExp): Promise<SeenMessage> =>
  play.message('', (m) => m.thread_ts === undefined && pattern.test(m.text));

const take = (lock: string, holder: string) =>
  play.query('production', `SELECT m10_recovery.acquire_lock('${lock}', '${holder}', 600)`);
const holder = async (lock: string) =>
  (
    await play.query(
      'production',
      `SELECT holder_id FROM m10_recovery.distributed_locks WHERE lock_name = '${lock}'`,
    )
  )[0]?.holder_id;
const closed = (run: number) => happened(play, 'RunClosed', {}, run);

describe('looks', () => {
  it('show the channel who holds which lock, and whether that one lives', async () => {
    await take('m10:reconcile_dl', 'worker-3:4711');
    await play.query(
      'production',
      `INSERT INTO m10_recovery.distributed_locks (lock_name, holder_id, acquired_at, expires_at)
       VALUES ('nightly report', 'gone:1', now() - interval '2 hours', now() - interval '1 hour')`,
    );
    const text = await shown('/m10 locks', /^Locks of production/);
    expect(text).toMatch(/m10:reconcile_dl.* · job dl-reconcile/);
    expect(text).toMatch(/Held by .*worker-3:4711/);
    expect(text).toMatch(/Last heartbeat: (just now|\d+(\.\d)? s ago)/);
    expect(text).toMatch(/nightly report[\s\S]*Stale: expired .* ago/);
  });

  it('show the outbox and the replay log', async () => {
    await play.query(
      'production',
      `INSERT INTO m10_recovery.outbox (id, aggregate_type, aggregate_id, event_type, payload, created_at,
         retry_count, last_error, next_retry_at)
       VALUES (7001, 'candidate', '7', 'http:notify', '{}', now() - interval '10 min', 3, '503 <!channel>',
         now() + interval '1 hour')`,
    );
    const outbox = await shown('/m10 outbox', /^Outbox of production/);
    expect(outbox).toMatch(/1 pending: 0 due, 1 wait/);
    expect(outbox).toMatch(/7001.*http:notify, candidate 7.*3 failed tries.*503/);
    expect(await shown('/m10 replays', /^Replay log of production/)).toMatch(/0 entries/);
  });
});

describe('quick changes', () => {
  it('remove what has expired, and the channel is told by whom', async () => {
    await play.say('alice', '/m10 locks cleanup');
    const text = words(await operation(/Remove the expired locks of production: done/));
    expect(text).toContain('Removed 1 expired lock of production');
    expect(text).toContain('nightly report, last held by gone:1');
    expect(await holder('nightly report')).toBeUndefined();
    expect(await holder('m10:reconcile_dl')).toBe('worker-3:4711');
  });

  it('are for operators, and a refusal is seen by all', async () => {
    await play.say('dave', '/m10 locks cleanup');
    await told(play, 'dave', /Only listed operators/);
    await play.text(new RegExp(`<@${USERS.dave}> ran .*/m10 locks cleanup.*not done`));
  });
});

it('a failed event is made due with a second person, for nobody approved the schedule that delivers it', async () => {
  await play.say('alice', '/m10 outbox retry 7001');
  const request = await gate(play, 1, 2);
  expect(words(request)).toMatch(/Deliver outbox event 7001 again/);
  const due = async () =>
    (
      await play.query(
        'production',
        'SELECT next_retry_at, retry_count FROM m10_recovery.outbox WHERE id = 7001',
      )
    )[0];
  expect((await due())?.next_retry_at).not.toBeNull();
  await play.react('bob', request);
  await closed(2);
  expect(await due()).toEqual({ next_retry_at: null, retry_count: 3 });
});

describe('a lock is released', () => {
  it("with Bob's ✅, while a migration run is open, and not with Alice's own", async () => {
    await play.say('alice', '/m10 locks release m10:reconcile_dl');
    const request = await gate(play, 1, 3);
    const text = words(request);
    expect(text).toContain('Release the lock m10:reconcile_dl');
    expect(text).toMatch(/worker-3:4711 has held it for \d+/);
    expect(text).toMatch(/Last heartbeat .* ago/);
    expect(text).toContain("holder_id = 'worker-3:4711'");
    expect(text).not.toMatch(/022_m10|goes from|phase/);

    const status = await shown('/m10 status', /^🟡 Run 1 /);
    expect(status).toMatch(/Beside it, run 3: Release the lock m10:reconcile_dl · waiting for approval/);

    await play.react('alice', request);
    await happened(play, 'ReactionRejected', { by: USERS.alice, code: 'own_request' }, 3);
    expect(await holder('m10:reconcile_dl')).toBe('worker-3:4711');

    await play.react('bob', request);
    await closed(3);
    expect(await holder('m10:reconcile_dl')).toBeUndefined();
    const end = words(await play.text(/Run 3 is closed: Done/));
    expect(end).toMatch(/m10:reconcile_dl of production was taken from worker-3:4711/);
    expect(end).not.toMatch(/022_m10|rollback|preflight/);
    expect(await eventsOf(play, 'RunClosed')).toEqual([]);
  });

  it('is void when the lock has changed hands, and the channel is told the difference', async () => {
    await take('m10:reclaim_gc', 'worker-3:4711');
    await play.say('alice', '/m10 locks release m10:reclaim_gc');
    const request = await gate(play, 1, 4);
    await play.query('production', "SELECT m10_recovery.release_lock('m10:reclaim_gc', 'worker-3:4711')");
    await take('m10:reclaim_gc', 'worker-9:1');
    await play.react('bob', request);
    await closed(4);
    const voided = await play.message('run:4:gate:1', (m) => /Void/.test(m.text));
    expect(words(voided)).toMatch(/release: holder: worker-3:4711 when approved, worker-9:1 now/);
    expect(await holder('m10:reclaim_gc')).toBe('worker-9:1');
    expect(await eventsOf(play, 'StepStarted', 4)).toEqual([]);
  });

  it('comes to an end when the bot is killed in the middle of it', async () => {
    await play.say('alice', '/m10 locks release m10:reclaim_gc');
    const request = await gate(play, 1, 5);
    const blocker = new pg.Client({ connectionString: play.trial.databases.production });
    blocker.on('error', () => undefined);
    await blocker.connect();
    await blocker.query('BEGIN');
    await blocker.query(
      "SELECT 1 FROM m10_recovery.distributed_locks WHERE lock_name = 'm10:reclaim_gc' FOR UPDATE",
    );
    try {
      await play.react('bob', request);
      expect(await eventually(async () => (await stepSessions(play, 'production')).length > 0, 30_000)).toBe(
        true,
      );
      await play.trial.bot().end('SIGKILL');
    } finally {
      await blocker.query('ROLLBACK');
      await blocker.end();
    }
    await play.trial.startBot();
    await closed(5);
    expect(await eventsOf(play, 'RunClosed', 5)).toMatchObject([{ outcome: 'operation-done' }]);
    expect(await holder('m10:reclaim_gc')).toBeUndefined();
  });
});

it('the replay log is cleaned up by as much as was shown', async () => {
  await play.query(
    'production',
    `INSERT INTO m10_recovery.replay_log (original_msg_id, dl_msg_id, replayed_at)
     SELECT n::text, 'x', now() - interval '1 day' * CASE WHEN n <= 1500 THEN 40 ELSE 3 END
       FROM generate_series(1, 1600) AS n`,
  );
  // As some clients send it.
  await play.say('alice', '/m10 replays cleanup \u2014older-than 30d');
  const request = await gate(play, 1, 6);
  expect(words(request)).toMatch(/Delete 1,500 entries of the replay log, older than 30 days/);
  await play.react('bob', request);
  await closed(6);
  await play.text(/Run 6 is closed: Done.*Deleted 1500 entries/s);
  const [left] = await play.query('production', 'SELECT count(*)::int AS count FROM m10_recovery.replay_log');
  expect(left).toEqual({ count: 100 });
});

it('a dead letter is put back once', async () => {
  await redis.xgroup('CREATE', streamNames.main, streamNames.group, '0', 'MKSTREAM').catch(() => undefined);
  const original = (await redis.xadd(streamNames.main, '*', 'candidate_id', '7')) ?? '';
  await redis.xreadgroup('GROUP', streamNames.group, 'w', 'COUNT', 1, 'STREAMS', streamNames.main, '>');
  const letter =
    (await redis.xadd(
      streamNames.deadLetters,
      '*',
      ...['candidate_id', '7', 'original_msg_id', original, 'reason', 'max retries'],
    )) ?? '';
  await play.say('alice', `/m10 replay ${original}`);
  const request = await gate(play, 1, 7);
  expect(words(request)).toContain('Reason: max retries');
  await play.react('bob', request);
  await closed(7);
  await play.text(new RegExp(`Run 7 is closed: Done.*${letter} of production is back`, 's'));
  const back = await redis.xrange(streamNames.main, `(${original}`, '+');
  expect(back).toHaveLength(1);

  await play.say('alice', `/m10 replay ${letter}`);
  await told(play, 'alice', /was put back already/);
  expect(await redis.xlen(streamNames.main)).toBe(2);
});

it('stopping means both runs, and the operation is over then', async () => {
  await take('m10:retention_cleanup', 'worker-3:4711');
  await play.say('alice', '/m10 next');
  await gate(play, 2, 1);
  await play.say('alice', '/m10 locks release m10:retention_cleanup');
  const request = await gate(play, 1, 8);
  // One at a time; the refused one has taken number 9.
  await play.say('carol', '/m10 replays cleanup --older-than 1d');
  await told(play, 'carol', /Run 8 is another operation on production/);

  await play.say('dave', '/m10 stop what is that');
  await closed(8);
  await happened(play, 'StopRequested', { by: USERS.dave }, 1);
  await play.react('bob', request);
  await happened(play, 'ReactionRejected', { by: USERS.bob, code: 'run_closed' }, 8);
  expect(await holder('m10:retention_cleanup')).toBe('worker-3:4711');
  // The migration's run is stopped and open, as ever.
  await play.say('alice', '/m10 resume');
  await happened(play, 'RunResumed', { by: USERS.alice }, 1);
});

it('a failure asks in its own message, without a word of the migration', async () => {
  await play.say('alice', '/m10 locks release m10:retention_cleanup');
  await approveWhile(10, async () => {
    // From here to the step the row is locked: the release does not get through.
    await happened(play, 'StepFinished', { result: 'failed' }, 10);
  });
  const prompt = await play.message('run:10:prompt:', (m) => buttons(m).length > 0);
  expect(buttons(prompt)).toEqual(['run_retry', 'run_stop']);
  expect(words(prompt)).not.toMatch(/022_m10|roll ?back|State of the targets/i);
  // It is asked again by the button, although another run is open.
  await play.press('alice', prompt, 'run_retry');
  await approve(play, 2, 10);
  await closed(10);
  expect(await holder('m10:retention_cleanup')).toBeUndefined();
  expect(await eventsOf(play, 'StepRetried', 1)).toEqual([]);
});

/** Approves a release while somebody else works on the lock's row. */
async function approveWhile(run: number, work: () => Promise<void>): Promise<void> {
  const request = await gate(play, 1, run);
  const blocker = new pg.Client({ connectionString: play.trial.databases.production });
  await blocker.connect();
  try {
    await blocker.query('BEGIN');
    await blocker.query('SELECT 1 FROM m10_recovery.distributed_locks FOR UPDATE');
    await play.react('bob', request);
    await work();
  } finally {
    await blocker.end();
  }
}
