import { afterAll, beforeAll, expect, it } from 'vitest';
import { jobNames } from '../../src/runbook/jobs/names.js';
import { revisions } from '../../workspace/backend/variants.js';
import { keyOf } from '../../workspace/demo/stage.js';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { USERS } from '../../workspace/slack/people.js';
import { channel, openTheatre, type Play, type Theatre } from './support.js';

let theatre: Theatre;
beforeAll(async () => {
  theatre = await openTheatre();
});
afterAll(() => theatre.close());

const phases = ['staging', 'production', 'verification', 'jobs'] as const;

/** Alice drives and Bob approves, from the first look to a verified production whose jobs run. */
async function migrate(play: Play): Promise<void> {
  await play.preflight();
  expect(await play.revision('staging')).toBe(revisions.before);
  for (const [index, phase] of phases.entries()) {
    await play.phase(index + 1);
    // A step that fails asks people, which ends the wait at once.
    const outcome = new RegExp(
      phase === 'jobs' ? 'Run 1 is closed: Verified|🔴' : `Run 1: phase ${phase} .* is done|🔴`,
    );
    // Slack's own limits let through about one message a second.
    expect((await play.text(outcome, 60_000)).text).not.toContain('🔴');
  }
  await play.message('run:1:closed', undefined, 60_000);
}

async function expectMigrated(play: Play): Promise<void> {
  expect(await play.revision('staging')).toBe(revisions.hardening);
  expect(await play.revision('production')).toBe(revisions.hardening);
  const tables = await play.query(
    'production',
    `SELECT table_name FROM information_schema.tables
     WHERE table_schema = 'm10_recovery' AND table_name IN ('distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox')`,
  );
  expect(tables).toHaveLength(4);
  // The checks looked at functions by calling them, and left no row behind.
  const [left] = await play.query(
    'production',
    `SELECT (SELECT count(*) FROM m10_recovery.replay_log) + (SELECT count(*) FROM m10_recovery.outbox)
       + (SELECT count(*) FROM m10_recovery.dead_letter_archive) AS rows`,
  );
  expect(Number(left?.rows)).toBe(0);
}

/** The file comes after what was told in threads before it, at the pace that Slack allows. */
function sqlFile(play: Play, target: string): Promise<SeenMessage> {
  const named = (m: SeenMessage) => m.files.some((f) => f.name.includes(target) && f.name.endsWith('.sql'));
  return play.trial.people.waitFor(channel, named, 60_000);
}

async function expectToldInFull(play: Play): Promise<void> {
  const { messages } = await play.trial.people.read({ channel });
  const keys = messages.flatMap((m) => keyOf(m) ?? []);
  expect(keys, 'no message stands twice').toEqual([...new Set(keys)]);
  const closed = messages.find((m) => keyOf(m) === 'run:1:closed');
  expect(closed?.text).toMatch(/verified/i);
  for (const [index, phase] of phases.entries()) {
    const gate = messages.find((m) => keyOf(m) === `run:1:gate:${index + 1}`);
    expect(gate?.text, `the request for ${phase}`).toContain(`Approved by <@${USERS.bob}>`);
  }
  for (const [index, target] of (['staging', 'production'] as const).entries()) {
    const request = messages.find((m) => keyOf(m) === `run:1:gate:${index + 1}`);
    const sql = await sqlFile(play, target);
    expect(sql.thread_ts, 'the SQL is a file below the request').toBe(request?.ts);
    const { content } = await play.trial.people.file({ id: sql.files[0]?.id ?? '' });
    expect(Buffer.from(content, 'base64').toString()).toContain('CREATE TABLE');
  }
  expect(JSON.stringify(messages)).not.toContain(play.trial.botEnv.SLACK_BOT_TOKEN);
}

async function expectRecorded(play: Play): Promise<void> {
  const events = await play.journal();
  expect(events.every((e) => e.type !== 'StepFinished' || e.data.result === 'passed')).toBe(true);
  const gated = events.filter((e) => e.type === 'GateSpent' || e.type === 'BlockStarted').map((e) => e.type);
  // The checklist starts by itself; every other block right after an approval of its own.
  expect(gated).toEqual(['BlockStarted', ...phases.flatMap(() => ['GateSpent', 'BlockStarted'])]);
  for (const spent of events.filter((e) => e.type === 'GateSpent')) {
    expect(spent.data.approvers).toEqual([USERS.bob]);
  }
  const upgrades = events.filter((e) => e.type === 'StepStarted' && /\.apply$/.test(String(e.data.step)));
  expect(upgrades.map((e) => e.data.step)).toEqual(['staging.apply', 'production.apply']);
  expect(events.at(-1)).toMatchObject({ type: 'RunClosed', data: { outcome: 'verified' } });
  const ran = await play.query(
    'state',
    `SELECT job, outcome FROM m10bot.job_runs WHERE trigger = 'runbook' ORDER BY id`,
  );
  expect(ran, 'each job once, under the eyes of people').toEqual(
    jobNames.map((job) => ({ job, outcome: 'passed' })),
  );
  const switched = await play.query(
    'state',
    `SELECT type, data FROM m10bot.events WHERE stream = 'jobs:production' AND type ~ '^Jobs' ORDER BY version`,
  );
  expect(switched).toMatchObject([
    { type: 'JobsResumed', data: { jobs: jobNames, by: USERS.alice, run: 1 } },
  ]);
  const closed = await play.message('run:1:closed');
  const [, position, hash] =
    /position (\d+), chain `([0-9a-f]{64})`/.exec(JSON.stringify(closed.blocks)) ?? [];
  const rows = await play.query(
    'state',
    `SELECT hash FROM m10bot.events WHERE position = ${Number(position)}`,
  );
  expect(rows, 'the end of the chain stands in the channel too').toEqual([{ hash }]);
}

it('migrates both targets over Socket Mode, under the limits that Slack sets', async () => {
  const play = await theatre.open({ slack: { rateLimits: 'slack' } });
  await migrate(play);
  await expectMigrated(play);
  await expectRecorded(play);
  await expectToldInFull(play);
  await play.trial.bot().end('SIGTERM');
}, 180_000);

it('migrates both targets over signed HTTP', async () => {
  const play = await theatre.open({ mode: 'http' });
  await migrate(play);
  await expectMigrated(play);
  await expectRecorded(play);
  await expectToldInFull(play);
}, 120_000);
