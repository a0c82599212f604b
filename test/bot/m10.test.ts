import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { streamNames } from '../../src/clients/m10/stream-names.js';
import { createBoard } from '../../src/commands/board.js';
import { type CommandContext, type CommandDeps, contextFor } from '../../src/commands/context.js';
import { type Parsed, parse } from '../../src/commands/parse.js';
import type { Reply } from '../../src/commands/reply.js';
import { runCommand } from '../../src/commands/run-command.js';
import { createM10 } from '../../src/main/m10.js';
import { resumeJobs } from '../../src/runbook/jobs/decide.js';
import type { M10Port } from '../../src/runbook/jobs/m10-port.js';
import { noJobs } from '../../src/runbook/jobs/port.js';
import { createJobsJournal, type JobsJournal, jobsStream } from '../../src/store/jobs.js';
import { nextRunNumber } from '../../src/store/sequences.js';
import { targetNames } from '../../src/store/target-names.js';
import { after, before, createWorld, sql, type World } from '../checks/world.js';
import { runbook } from '../runbook/spec.js';
import { approvalOf, asApproved } from '../scheduler/place.js';
import { type FreshRedis, freshRedis } from '../support/database.js';
import { CHANNELS, createScene, type Scene, USERS } from './support.js';

let scene: Scene;
let world: World;
let redis: FreshRedis;
let url: string;
let m10: M10Port;
let journal: JobsJournal;
let deps: CommandDeps;
const now = Date.parse('2026-01-10T02:00:00Z');

beforeAll(async () => {
  scene = await createScene('m10 commands');
  world = await createWorld();
  redis = await freshRedis();
  url = (await world.databaseAt(after)).url;
  const target = world.target({ databaseUrl: url, redisUrl: redis.url });
  m10 = createM10({ target, redact: (text) => text });
  journal = createJobsJournal({ journal: scene.journal, target: 'production', now: Date.now });
  const targets = await targetNames(scene.journal, ['staging', 'production']);
  deps = {
    incidentChannel: CHANNELS.incident,
    operators: [USERS.alice, USERS.carol],
    member: scene.accessFor().member,
    targets,
    runs: scene.runs,
    journalDiffers: async () => null,
    journal: scene.journal,
    board: createBoard({ journal: scene.journal, runs: scene.runs, targets }),
    nextRunNumber: () => nextRunNumber(scene.pool),
    loadRunbook: async () => ({ runbook, digest: 'runbook-digest' }),
    changing: ['change', 'locks.release', 'replays.cleanup', 'dead-letter.replay'],
    floors: { production: { approvals: 2, expires: 60_000 } },
    planOf: async () => ({ steps: [], targets: [], sql: [], warnings: [] }),
    targetStates: async () => [],
    jobs: { ...noJobs, covers: async () => ({ kind: 'read', parts: doesNow }) },
    jobsJournal: journal,
    m10,
    undelivered: async () => ({ waiting: [], refused: [] }),
    describe: () => '',
  };
  // The outbox processor's schedule was approved: what it delivers may be made due by one operator.
  await journal.execute((state) => resumeJobs(state, approvalOf(['outbox-processor'], USERS.alice)));
});
/** What the outbox processor does now. */
let doesNow: Record<string, string> = asApproved;
afterAll(async () => {
  await scene.close();
  await redis.drop();
  await world.drop();
});
beforeEach(async () => {
  await sql(
    url,
    'TRUNCATE m10_recovery.distributed_locks, m10_recovery.replay_log, m10_recovery.outbox, m10_recovery.dead_letter_archive',
  );
  for (const { run } of await scene.runs.holders(deps.targets)) {
    await scene.runs.execute(run, {
      type: 'Close',
      by: USERS.alice,
      operator: true,
      reason: 'next',
      targets: [],
    });
  }
});

let deliveries = 0;
async function say(
  text: string,
  as: { user?: string; delivery?: string; m10?: M10Port | null } = {},
): Promise<Reply> {
  const parsed: Parsed = parse(text);
  if (parsed.kind === 'error') throw new Error(parsed.why);
  deliveries += 1;
  const context: CommandContext = contextFor(as.m10 === undefined ? deps : { ...deps, m10: as.m10 }, {
    user: as.user ?? USERS.alice,
    channel: CHANNELS.incident,
    via: 'command',
    delivery: as.delivery ?? `command:${deliveries}`,
  });
  return runCommand(context, parsed.command, now);
}
const operations = async () =>
  (await scene.events(jobsStream('production'))).filter((event) => event.type.startsWith('Operation'));
const refusals = async () =>
  (await scene.events(`desk:${CHANNELS.incident}`)).filter((e) => e.type === 'CommandRefused');
const take = (lock: string, holder: string, ttl: number) =>
  sql(url, `SELECT m10_recovery.acquire_lock('${lock}', '${holder}', ${ttl})`);
const expired = (lock: string) =>
  sql(
    url,
    `INSERT INTO m10_recovery.distributed_locks (lock_name, holder_id, acquired_at, expires_at)
     VALUES ('${lock}', 'dead-worker', now() - interval '20 min', now() - interval '10 min')`,
  );
/** An event with an id of its own, so that a test can name it; columns by name, as SQL. */
const event = (id: number, state: Readonly<Record<string, string>> = {}) =>
  sql(
    url,
    `INSERT INTO m10_recovery.outbox
       (${['id', 'aggregate_type', 'aggregate_id', 'event_type', 'payload', 'created_at', ...Object.keys(state)].join(', ')})
     VALUES (${[id, "'candidate'", `'${id}'`, "'http:notify'", "'{}'", "now() - interval '1 hour'", ...Object.values(state)].join(', ')})`,
  );
const failing = {
  retry_count: '3',
  last_error: "'503 from hooks.example.com'",
  next_retry_at: "now() + interval '30 min'",
};
const dead = {
  retry_count: '5',
  last_error: "'Dead letter after 5 tries: 503'",
  processed_at: "now() - interval '1 min'",
  processed_by: "'m10bot'",
};
const row = async (id: number) =>
  (
    await sql(
      url,
      `SELECT retry_count, last_error, next_retry_at IS NULL AS due, processed_at IS NULL AS pending
         FROM m10_recovery.outbox WHERE id = ${id}`,
    )
  )[0];

describe('looks', () => {
  it('shows locks with holder, age, end, job and last heartbeat', async () => {
    await take('m10:reclaim_gc', 'm10bot:host:1:ab', 300);
    await take('backups', 'worker-3', 60);
    await expired('m10:reconcile_dl');
    const reply = await say('locks', { user: USERS.bob });
    expect(reply).toMatchObject({
      kind: 'locks',
      target: 'production',
      locks: [
        { name: 'backups', holder: 'worker-3', stale: false, ours: false, job: null, silentMs: null },
        { name: 'm10:reclaim_gc', ours: true, job: 'reclaim-gc', stale: false },
        { name: 'm10:reconcile_dl', holder: 'dead-worker', stale: true, job: 'dl-reconcile' },
      ],
    });
    if (reply.kind !== 'locks') return expect.unreachable();
    expect(reply.locks[1]?.silentMs).toBeLessThan(60_000);
    // Expired ten minutes ago after a TTL of ten: nothing was heard of it since it took the lock.
    expect(reply.locks[2]?.silentMs).toBeGreaterThan(19 * 60_000);
  });

  it('shows the outbox by type, with its age, failures and dead letters', async () => {
    await event(1);
    await event(2, failing);
    await event(3, dead);
    const reply = await say('outbox');
    expect(reply).toMatchObject({
      kind: 'outbox',
      outbox: {
        pending: 2,
        due: 1,
        waiting: 1,
        delivering: 0,
        byType: [{ eventType: 'http:notify', pending: 2 }],
        byRetries: [
          { retries: 0, pending: 1 },
          { retries: 3, pending: 1 },
        ],
        lastErrors: [
          { id: 3, dead: true, retries: 5 },
          { id: 2, dead: false, error: '503 from hooks.example.com', aggregate: 'candidate 2' },
        ],
      },
    });
    if (reply.kind !== 'outbox') return expect.unreachable();
    expect(reply.outbox.lagMs).toBeGreaterThan(59 * 60_000);
  });

  it('shows the replay log with its size, growth and oldest entry', async () => {
    await sql(
      url,
      `INSERT INTO m10_recovery.replay_log (original_msg_id, dl_msg_id, replayed_at)
       SELECT n::text, 'x', now() - interval '1 day' * (n % 3) FROM generate_series(1, 9) AS n`,
    );
    expect(await say('replays')).toMatchObject({
      kind: 'replays',
      replays: { rows: 9, oldestAt: expect.any(Number) },
    });
  });

  it('hides secrets in what others wrote', async () => {
    await take('hunter2 lock', 'postgres://u:hunter2@host', 60);
    await event(2, { ...failing, last_error: "'401 for hunter2'" });
    const target = world.target({ databaseUrl: url, redisUrl: redis.url });
    const careful = createM10({ target, redact: (text) => text.replaceAll('hunter2', '***') });
    for (const word of ['locks', 'outbox']) {
      const reply = JSON.stringify(await say(word, { m10: careful }));
      expect(reply).toContain('***');
      expect(reply).not.toContain('hunter2');
    }
  });

  it('leaves nothing in the journal, and says why there is no answer', async () => {
    const { position } = await scene.journal.head();
    const bare = createM10({
      target: world.target({ databaseUrl: (await world.databaseAt(before)).url }),
      redact: (text) => text.replaceAll('production', '[it]'),
    });
    const gone = createM10({
      target: world.target({ databaseUrl: 'postgresql://x:y@127.0.0.1:1/z' }),
      redact: (text) => text,
    });
    for (const word of ['locks', 'outbox', 'replays']) {
      expect(await say(word, { m10: bare })).toMatchObject({
        kind: 'refused',
        command: `/m10 ${word}`,
        why: expect.stringMatching(/^\[it\] does not have the M10 objects of revision 022/),
      });
      expect(await say(word, { m10: gone })).toMatchObject({
        why: expect.stringContaining('cannot be reached'),
      });
    }
    expect((await scene.journal.head()).position).toBe(position);
  });

  it('is refused on the record where no jobs are configured', async () => {
    expect(await say('locks', { m10: null })).toMatchObject({ kind: 'refused', command: '/m10 locks' });
    expect((await refusals()).at(-1)).toMatchObject({ code: 'no_jobs', command: '/m10 locks' });
  });
});

describe('quick changes', () => {
  it('removes expired locks alone, recorded before and after', async () => {
    await expired('m10:reconcile_dl');
    await take('m10:reclaim_gc', 'worker-3', 300);
    const known = (await operations()).length;
    expect(await say('locks cleanup')).toMatchObject({
      kind: 'done',
      text: 'Removed 1 expired lock of production.',
    });
    expect((await operations()).slice(known)).toMatchObject([
      { type: 'OperationStarted', what: 'Remove the expired locks of production', by: USERS.alice },
      { type: 'OperationFinished', result: 'passed', output: 'm10:reconcile_dl, last held by dead-worker' },
    ]);
    expect(await say('locks')).toMatchObject({ locks: [{ name: 'm10:reclaim_gc' }] });
    expect(await say('locks cleanup')).toMatchObject({
      text: expect.stringContaining('nothing was removed'),
    });
  });

  it('is for operators, and a refusal is recorded before the target is asked', async () => {
    const known = (await operations()).length;
    for (const text of [
      'locks cleanup',
      'outbox retry 7',
      'locks release x',
      'replays cleanup --older-than 30d',
      'replay 1-0',
    ]) {
      expect(await say(text, { user: USERS.bob })).toMatchObject({ kind: 'refused' });
      expect((await refusals()).at(-1)).toMatchObject({ by: USERS.bob, code: 'not_an_operator' });
    }
    expect((await operations()).length).toBe(known);
    expect(await scene.runs.holders(deps.targets)).toEqual([]);
  });

  it('makes a failed event due, and brings a dead letter back under its own id', async () => {
    await event(2, failing);
    await event(3, dead);
    expect(await say('outbox retry 2')).toMatchObject({
      text: expect.stringContaining('Event 2 of production is due'),
    });
    expect(await row(2)).toMatchObject({ retry_count: 3, due: true, pending: true });
    expect(await say('outbox retry 3')).toMatchObject({
      text: expect.stringContaining('back in the outbox'),
    });
    expect(await row(3)).toMatchObject({ retry_count: 0, due: true, pending: true, last_error: '503' });
  });

  it('refuses what makes no sense, with what can be done instead', async () => {
    await event(1);
    await event(4, { processed_at: 'now()' });
    await event(6, {
      processed_by: "'m10bot:host:1/ab (delivering)'",
      next_retry_at: "now() + interval '1 min'",
    });
    for (const [id, why] of [
      [1, 'due already'],
      [6, 'is being delivered at this moment'],
      [4, 'delivered already'],
      [99, 'has no event 99'],
    ] as const) {
      expect(await say(`outbox retry ${id}`)).toMatchObject({
        kind: 'refused',
        command: `/m10 outbox retry ${id}`,
        why: expect.stringContaining(why),
      });
    }
  });

  it('makes nothing due for one operator alone, unless the schedule that delivers it is as approved', async () => {
    await event(2, failing);
    doesNow = { program: 'another' };
    const known = (await operations()).length;
    const asked = await say('outbox retry 2');
    doesNow = asApproved;
    expect(asked).toMatchObject({
      text: expect.stringMatching(/is asked for.*outbox-processor is not what was approved any more/),
    });
    const { beside } = await deps.board.now();
    expect(beside?.runbook.operations).toMatchObject([
      { title: 'Deliver outbox event 2 again', steps: [{ uses: 'outbox.retry', with: { event: 2 } }] },
    ]);
    expect(await say('close never mind')).toMatchObject({ kind: 'done' });
    expect((await operations()).length).toBe(known);
    expect((await row(2))?.due).not.toBe(true);
  });

  it('leaves a dead letter alone that a younger event has replaced', async () => {
    await event(3, dead);
    await sql(
      url,
      `INSERT INTO m10_recovery.outbox (id, aggregate_type, aggregate_id, event_type, payload)
       VALUES (5, 'candidate', '3', 'http:notify', '{}')`,
    );
    expect(await say('outbox retry 3')).toMatchObject({
      text: expect.stringContaining('event 3 stays a dead letter'),
    });
    expect((await operations()).at(-1)).toMatchObject({ type: 'OperationFinished', result: 'failed' });
    expect(await row(3)).toMatchObject({ pending: false });
  });

  it('has its effect once when its delivery is handled again, at once or by two', async () => {
    await event(2, failing);
    const known = (await operations()).length;
    const both = await Promise.all([1, 2].map(() => say('outbox retry 2', { delivery: 'twice' })));
    expect(both.map(({ kind }) => kind)).toEqual(['done', 'done']);
    await say('outbox retry 2', { delivery: 'twice' });
    expect((await operations()).slice(known).map((e) => e.type)).toEqual([
      'OperationStarted',
      'OperationFinished',
    ]);
    expect(await scene.runs.handled('twice')).toBe(true);
  });

  it('is finished by the redelivery when the bot died in the middle', async () => {
    await expired('m10:reconcile_dl');
    const known = (await operations()).length;
    const dying = { ...m10, cleanupLocks: () => new Promise<never>(() => undefined) };
    void say('locks cleanup', { delivery: 'crash', m10: dying });
    await expect.poll(async () => (await operations()).length, { timeout: 20_000 }).toBe(known + 1);
    expect(await scene.runs.handled('crash')).toBe(false);
    expect(await say('locks cleanup', { delivery: 'crash' })).toMatchObject({
      text: expect.stringContaining('The bot was interrupted at the first try'),
    });
    expect((await operations()).slice(known)).toMatchObject([
      { type: 'OperationStarted', delivery: 'crash' },
      { type: 'OperationFinished', result: 'passed' },
    ]);
    expect(await say('locks')).toMatchObject({ locks: [] });
    expect(await scene.runs.handled('crash')).toBe(true);
  });

  it('records what failed, and what nobody knows', async () => {
    const broken = { ...m10, cleanupLocks: async () => Promise.reject(new Error('a bug')) };
    await say('locks cleanup', { m10: broken });
    expect((await operations()).at(-1)).toMatchObject({
      result: 'unknown',
      summary: expect.stringContaining('a bug'),
    });
    const gone = createM10({
      target: world.target({ databaseUrl: 'postgresql://x:y@127.0.0.1:1/z' }),
      redact: (text) => text,
    });
    await say('locks cleanup', { m10: gone });
    expect((await operations()).at(-1)).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('cannot be reached'),
    });
  });
});

describe('changes that are asked for', () => {
  it('opens a run beside an open migration, with the holder as it is now', async () => {
    await say('preflight');
    await take('m10:reclaim_gc', 'worker-3', 300);
    const reply = await say('locks release m10:reclaim_gc');
    expect(reply).toMatchObject({ kind: 'done', text: expect.stringContaining('is asked for') });
    const { run, beside } = await deps.board.now();
    expect(run?.purpose).toEqual({ kind: 'runbook' });
    expect(beside).toMatchObject({
      purpose: { kind: 'operation', id: 'locks-release' },
      gates: [{ status: 'preparing', requestedBy: USERS.alice }],
    });
    expect(beside?.runbook.operations).toMatchObject([
      {
        title: 'Release the lock m10:reclaim_gc',
        on: 'production',
        beside: true,
        // What the target asks of gates holds here, too.
        gate: { approvals: 2, expires: 60_000 },
        steps: [{ uses: 'locks.release', with: { lock: 'm10:reclaim_gc', holder: 'worker-3' } }],
      },
    ]);
    expect(await say('status')).toMatchObject({
      kind: 'status',
      run: { run: run?.run },
      beside: { run: beside?.run },
    });

    // Two of them exclude each other; the migration is not in their way, nor they in its.
    await take('m10:reconcile_dl', 'worker-4', 300);
    expect(await say('locks release m10:reconcile_dl')).toMatchObject({
      kind: 'refused',
      why: `Run ${beside?.run} is another operation on production, and is still open.`,
    });
    expect(await say('preflight')).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('holds staging'),
    });

    // Words about a run mean the migration's; stopping means everything.
    expect(await say('close enough')).toMatchObject({
      text: expect.stringContaining(`Run ${run?.run} is closed`),
    });
    expect((await deps.board.now()).beside?.run).toBe(beside?.run);
    expect(await say('next')).toMatchObject({ kind: 'refused', why: 'No run is open.' });
    expect(await say('preflight')).toMatchObject({ kind: 'done' });
    const stopped = await say('stop look here', { user: USERS.dora });
    expect(stopped).toMatchObject({ text: expect.stringContaining(`Run ${beside?.run} is stopped`) });
    const after = await deps.board.now();
    expect([after.run?.stopped?.by, after.beside?.stopped?.by]).toEqual([USERS.dora, USERS.dora]);
  });

  it('goes to the operation when it stands alone', async () => {
    await take('m10:reclaim_gc', 'worker-3', 300);
    await say('locks release m10:reclaim_gc');
    const { beside, run } = await deps.board.now();
    expect(run).toBeNull();
    expect(await say('status')).toMatchObject({ run: null, beside: { run: beside?.run } });
    expect(await say('audit')).toMatchObject({ kind: 'audit', run: { run: beside?.run } });
    expect(await say('close never mind')).toMatchObject({
      text: expect.stringContaining(`Run ${beside?.run} is closed`),
    });
  });

  it('does not ask for what makes no sense', async () => {
    await expired('m10:reconcile_dl');
    await take('m10:reclaim_gc', 'worker-3', 300);
    expect(await say('locks release m10:reclaim_cg')).toMatchObject({
      kind: 'refused',
      why: 'Nobody holds a lock "m10:reclaim_cg" on production.',
      instead: expect.stringContaining('Did you mean `m10:reclaim_gc`?'),
    });
    expect(await say('locks release m10:reconcile_dl')).toMatchObject({
      kind: 'refused',
      instead: expect.stringContaining('/m10 locks cleanup'),
    });
    expect(await say('replays cleanup --older-than 30d')).toMatchObject({
      kind: 'refused',
      why: 'The replay log of production has no entry older than 30 days.',
    });
    expect(await say('replay 1765000000000-0')).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('has no dead letter 1765000000000-0'),
    });
    expect(await scene.runs.holders(deps.targets)).toEqual([]);
  });

  it('counts what a clean-up deletes, as of the request', async () => {
    await sql(
      url,
      `INSERT INTO m10_recovery.replay_log (original_msg_id, dl_msg_id, replayed_at)
       SELECT n::text, 'x', now() - interval '40 days' FROM generate_series(1, 1234) AS n`,
    );
    expect(await say('replays cleanup --older-than 30d')).toMatchObject({
      kind: 'done',
      text: expect.stringContaining('deleting 1,234 entries older than 30 days'),
    });
    const { beside } = await deps.board.now();
    const step = beside?.runbook.operations[0]?.steps[0];
    const moment = Date.parse(String(step?.with.before));
    expect(Math.abs(Date.now() - 30 * 86_400_000 - moment)).toBeLessThan(120_000);
  });

  it('names the dead letter, whichever id was said', async () => {
    const client = new Redis(redis.url);
    try {
      const original = '1765000000000-0';
      const id = await client.xadd(streamNames.deadLetters, '*', 'original_msg_id', original, 'reason', 'x');
      expect(await say(`replay ${original}`)).toMatchObject({ kind: 'done' });
      const { beside } = await deps.board.now();
      expect(beside?.runbook.operations[0]?.steps[0]).toMatchObject({
        uses: 'dead-letter.replay',
        with: { message: id },
      });
    } finally {
      client.disconnect();
    }
  });
});
