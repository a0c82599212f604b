import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { wrongShapedLocksSql } from '../../workspace/backend/layout.js';
import { type BackendVariant, revisions } from '../../workspace/backend/variants.js';
import { USERS } from '../../workspace/slack/people.js';
import { approve, buttons, done, eventsOf, gate, keepChannel, objectsOf022, prompt, words } from './acts.js';
import { openShelf, type Shelf, short022 } from './runbooks.js';
import { openTheatre, type Play, type Theatre } from './support.js';

const all = ['run_retry', 'run_skip', 'run_rollback', 'run_stop'];

// A busy machine takes its time; what is waited for has deadlines of its own.
vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
let play: Play | undefined;
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
});
afterEach(async ({ task }) => {
  if (play === undefined) return;
  await keepChannel(play, task.name);
  await play.trial.stop();
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

async function open(variant: BackendVariant, runbook?: string): Promise<Play> {
  play = await theatre.open({ variant, runbook: runbook ?? (await shelf.write(await short022())) });
  return play;
}

/** Alice asks for the next phase, Bob approves it, and it fails at this step. */
async function failAt(play: Play, id: number, step: string) {
  await play.phase(id);
  return prompt(play, step);
}

async function archives(play: Play): Promise<string[]> {
  const files = await readdir(join(play.trial.directory, 'backups'));
  return files.filter((f) => f.startsWith('archive_') && f.endsWith('.dump')).sort();
}

async function expectRolledBack(play: Play): Promise<void> {
  expect((await play.message('run:1:closed')).text).toMatch(/Run 1 is closed: Rolled back/);
  for (const target of ['staging', 'production'] as const) {
    expect(await play.revision(target)).toBe(revisions.before);
    expect(await objectsOf022(play, target)).toEqual([]);
  }
  // The targets are free: a new run can be opened.
  await play.preflight(2);
  await play.say('alice', '/m10 close the test is over');
  await play.message('run:2:closed');
}

it('a function that fails at every call is found by calling it, and can be retried, skipped and taken back', async () => {
  const play = await open('publish-outbox-fails');
  await play.preflight();
  const first = await failAt(play, 1, 'staging.outbox');
  const read = words(first);
  expect(read).toMatch(/The outbox works from publish to complete failed/);
  expect(read).toMatch(/no event could ever be published/i);
  expect(read).toMatch(/uq_outbox_pending/);
  expect(read).toMatch(/staging: at 022_m10_production_hardening/);
  expect(read).toMatch(/production: at 021_m10_durable_queue_fallback/);
  expect(read).toMatch(/outbox events not delivered yet on staging: 0/);
  expect(read, 'what is not there cannot be lost').toMatch(
    /Nothing on production, which is at 021_m10_durable_queue_fallback already/,
  );
  expect(read).toMatch(/step 5 of 6, on staging failed/);
  expect(read).toMatch(/production is untouched/);
  expect(buttons(first)).toEqual(all);

  // What failed only reads, so a retry needs nobody's approval; it fails as before.
  await play.press('alice', first, 'run_retry');
  const second = await prompt(play, 'staging.outbox', 2);
  expect((await play.journal()).filter((e) => e.type === 'ApprovalRequested')).toHaveLength(1);
  const answered = await play.message('run:1:prompt:', (m) => m.ts === first.ts);
  expect(answered.text).toMatch(new RegExp(`Answered: retried, as <@${USERS.alice}> asked`));
  expect(buttons(answered)).toEqual([]);

  await play.press('alice', second, 'run_skip');
  const modal = await play.trial.people.waitForView(USERS.alice, () => true);
  await play.trial.people.submit({
    user: USERS.alice,
    view_id: modal.id,
    values: { reason: { reason_text: 'known, fixed in the next release' } },
  });
  const asked = await gate(play, 2);
  expect(words(asked)).toMatch(/skip step staging\.outbox/);
  expect(words(asked)).toMatch(/known, fixed in the next release/);
  await play.react('bob', asked);
  await done(play, 'staging');
  expect((await play.message('run:1:gate:2')).text).toMatch(/Approved by .*\. The step is left out/);
  const skipped = await play.message('run:1:prompt:', (m) => m.ts === second.ts && buttons(m).length === 0);
  expect(skipped.text).toMatch(/Answered: skipped; request 2 was approved/);
  expect(await eventsOf(play, 'StepSkipped')).toMatchObject([
    { step: 'staging.outbox', reason: 'known, fixed in the next release' },
  ]);

  await play.phase(3);
  await done(play, 'production');
  await play.query(
    'production',
    `INSERT INTO m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
     SELECT 'order', n::text, 'http:call', '{}' FROM generate_series(1, 3) AS n`,
  );
  const last = await failAt(play, 4, 'production.outbox');
  expect(words(last)).toMatch(/production: at 022_m10_production_hardening/);
  expect(words(last)).toMatch(/outbox events on production: 3/);
  expect(words(last)).toMatch(/outbox events not delivered yet on production: 3/);
  await play.press('alice', last, 'run_rollback');
  const back = await gate(play, 5);
  expect(words(back)).toMatch(/What the rollback loses.*outbox events on production: 3/s);
  expect(await play.revision('production'), 'nothing is undone before an approval').toBe(revisions.hardening);
  await play.react('bob', back);
  await expectRolledBack(play);
  expect(await archives(play)).toHaveLength(2);
  const archived = (await eventsOf(play, 'StepFinished')).filter((d) => /archive/.test(String(d.step)));
  expect(archived.map((d) => d.result)).toEqual(['passed', 'passed']);
  expect(String(archived[0]?.output)).toMatch(/outbox\D+3\b/);
});

it('a migration that fails half-way leaves nothing, and each further try needs an approval', async () => {
  const play = await open('fails-half-way');
  await play.preflight();
  const first = await failAt(play, 1, 'staging.apply');
  const read = words(first);
  expect(read).toMatch(/Upgrade staging to 022 failed/);
  expect(read).toMatch(/origin_kind/);
  expect(read).toMatch(/nothing of it stayed: no transaction of it was committed/);
  expect(read).toMatch(/staging: at 021_m10_durable_queue_fallback/);
  expect(buttons(first)).toEqual(all);
  expect(await play.revision('staging')).toBe(revisions.before);
  expect(await objectsOf022(play, 'staging')).toEqual([]);

  await play.press('carol', first, 'run_retry');
  const again = await gate(play, 2);
  expect(words(again)).toMatch(/retry/);
  expect(await eventsOf(play, 'StepStarted')).toHaveLength((await eventsOf(play, 'StepFinished')).length);
  await play.react('bob', again);
  await prompt(play, 'staging.apply', 2);

  await play.say('alice', '/m10 rollback it will never work');
  await approve(play, 3);
  await expectRolledBack(play);
  expect(await archives(play), 'there was nothing to keep').toEqual([]);
});

it('an upgrade that meets a lock gives up, shows who holds it, and passes once they are gone', async () => {
  const runbook = await short022((step) =>
    step.uses === 'alembic.upgrade' ? { ...step, with: { ...step.with, 'lock-timeout': '1500ms' } } : step,
  );
  const play = await open('blocks-on-lock', await shelf.write(runbook));
  await play.preflight();
  const reader = new pg.Client({
    connectionString: play.trial.databases.staging,
    application_name: 'forgotten-report',
  });
  await reader.connect();
  try {
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM m10_recovery.work_queue');
    const failed = await failAt(play, 1, 'staging.apply');
    const read = words(failed);
    expect(read).toMatch(/waited 1\.5 s for a lock and gave up/);
    expect(read).toMatch(/forgotten-report/);
    expect(read).toMatch(/work_queue/);
    expect(read).toMatch(/staging: at 021_m10_durable_queue_fallback/);
    expect(await objectsOf022(play, 'staging')).toEqual([]);
    await reader.query('ROLLBACK');
    await play.press('alice', failed, 'run_retry');
    await approve(play, 2);
    await done(play, 'staging');
    expect(await play.revision('staging')).toBe(revisions.hardening);
  } finally {
    await reader.end();
  }
});

it('a table that was there in another shape is found, although the upgrade itself says nothing', async () => {
  const play = await open('good');
  for (const target of ['staging', 'production'] as const) {
    await play.query(target, await wrongShapedLocksSql());
  }
  await play.preflight();
  const failed = await failAt(play, 1, 'staging.objects');
  const read = words(failed);
  expect(read).toMatch(/Tables and functions have their shape failed/);
  expect(read).toMatch(/distributed_locks/);
  expect(read).toMatch(/primary key/);
  expect(read).toMatch(/staging: at 022_m10_production_hardening/);
  await play.press('alice', failed, 'run_rollback');
  await approve(play, 2);
  // Production never was at 022, and still has the table that stood there before: that is told.
  const left = await prompt(play, 'rollback.production-absent');
  expect(words(left)).toMatch(/distributed_locks/);
  expect(words(left)).toMatch(/production: at 021_m10_durable_queue_fallback/);
  await play.query('production', 'DROP TABLE m10_recovery.distributed_locks');
  await play.press('alice', left, 'run_retry');
  await approve(play, 3);
  await expectRolledBack(play);
});

it('a statement outside the transaction is announced at the gate, and what it leaves behind is found', async () => {
  const play = await open('autocommit-block-fails');
  await play.preflight();
  await play.say('alice', '/m10 next');
  const asked = await gate(play, 1);
  expect(words(asked)).toMatch(/Know this first/);
  expect(words(asked)).toMatch(
    /1 statement outside the transaction: a failure half-way leaves what ran before/,
  );
  await play.react('bob', asked);
  const failed = await prompt(play, 'staging.apply');
  expect(words(failed)).toMatch(/part of it may have stayed/);
  expect(words(failed)).toMatch(/staging: at 021_m10_durable_queue_fallback/);
  expect((await objectsOf022(play, 'staging')).length).toBeGreaterThan(0);
  await play.press('alice', failed, 'run_rollback');
  await approve(play, 2);
  // At 021 there is nothing to downgrade; that the tables are there nevertheless is not called a rollback.
  const left = await prompt(play, 'rollback.staging-absent');
  expect(words(left)).toMatch(/outbox/);
  expect(buttons(left), 'a rollback cannot be rolled back').toEqual(['run_retry', 'run_skip', 'run_stop']);
  expect(words(left)).toMatch(/staging: at 021_m10_durable_queue_fallback/);
  expect(await archives(play), 'their rows are kept').toHaveLength(1);
});

it('findings about the SQL stand at the gate, the most dangerous first', async () => {
  const play = await open('dangerous-sql');
  await play.preflight();
  await play.say('alice', '/m10 next');
  const read = words(await gate(play, 1));
  expect(read).toMatch(/What the linter says about the SQL/);
  const ranks = [...read.matchAll(/• (may lose data|may block other sessions|advice):/g)].map((m) => m[1]);
  const order = ['may lose data', 'may block other sessions', 'advice'];
  expect(ranks.length).toBeGreaterThan(2);
  expect(ranks).toEqual([...ranks].sort((a, b) => order.indexOf(a ?? '') - order.indexOf(b ?? '')));
  expect(read).toMatch(/may block other sessions: .*\(adding-required-field, staging/);
  expect(read).toMatch(/\(changing-column-type, staging/);
});

it('two heads do not matter to an upgrade to an exact revision', async () => {
  const play = await open('two-heads');
  await play.preflight();
  await play.phase(1);
  await done(play, 'staging');
  expect(await play.revision('staging')).toBe(revisions.hardening);
});
