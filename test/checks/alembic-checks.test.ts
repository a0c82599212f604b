import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alembicCurrent } from '../../src/checks/alembic-current.js';
import { alembicPlan } from '../../src/checks/alembic-plan.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { findingsOf } from '../../src/checks/plan/findings.js';
import { createPlans } from '../../src/checks/plan/plans.js';
import { surveyOf } from '../../src/checks/plan/survey.js';
import { commitBackend, layoutBackend } from '../../workspace/backend/layout.js';
import type { BackendVariant } from '../../workspace/backend/variants.js';
import { after, before, beyond, contextOf, createWorld, run, sql, type World } from './world.js';

let world: World;
let deps: StepDeps;

beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
});
afterAll(() => world.drop());

async function targetAt(revision: string | null, variant: BackendVariant = 'good') {
  const directory = await world.backend(variant);
  return world.target({ databaseUrl: (await world.databaseAt(revision)).url, directory });
}

const nowhere = 'postgresql://a:b@127.0.0.1:9/none';

describe('alembic.current', () => {
  const at = (revision: string | string[]) => ({ revision });
  const current = () => alembicCurrent(deps);

  test('exactly the expected revision passes, where Alembic works on the same database', async () => {
    const target = await targetAt(before);
    expect(await run(current(), at(before), contextOf(target))).toMatchObject({
      result: 'passed',
      summary: `production is at ${before}, as expected, and Alembic works on the same database`,
    });
  });

  test('the suffix that Alembic prints after a head or a branch point is no part of the name', async () => {
    const target = await targetAt(after, 'two-heads');
    expect(await run(current(), at(after), contextOf(target))).toMatchObject({ result: 'passed' });
  });

  test('past, not yet, none, several and unknown are told apart', async () => {
    const summary = async (revision: string | null, change?: string) => {
      const target = await targetAt(revision);
      if (change !== undefined) await sql(target.databaseUrl, change);
      const outcome = await run(current(), at(after), contextOf(target));
      expect(outcome.result).toBe('failed');
      return outcome.summary;
    };
    expect(await summary(beyond)).toContain('it is past it');
    expect(await summary(before)).toContain('it is not there yet');
    expect(await summary(null)).toContain('no revision, expected exactly');
    expect(await summary(after, `insert into alembic_version values ('other')`)).toContain(
      `${after} and other`,
    );
    expect(await summary(after, `update alembic_version set version_num = '0ff_strange'`)).toContain(
      'the code does not know 0ff_strange',
    );
  });

  test('a revision that the code does not know fails, although the database has it', async () => {
    const target = await targetAt(after);
    await sql(target.databaseUrl, `update alembic_version set version_num = '099_future'`);
    const outcome = await run(current(), at('099_future'), contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('the code does not know 099_future');
  });

  test('an unreachable database is unknown', async () => {
    const target = world.target({ databaseUrl: nowhere, directory: await world.backend() });
    expect(await run(current(), at(before), contextOf(target))).toMatchObject({
      result: 'unknown',
    });
  });

  test('an environment in which Alembic does not run is a failure with its words', async () => {
    const target = { ...(await targetAt(before)), env: { PATH: '/nowhere' } };
    const outcome = await run(current(), at(before), contextOf(target));
    expect(outcome.result).not.toBe('passed');
  });

  test('a relative step is no revision', () => {
    expect(current().bind({ revision: '-1' })).toMatchObject({
      ok: false,
      issues: [{ path: ['revision'], message: expect.stringContaining('no relative step') }],
    });
  });
});

describe('alembic.plan', () => {
  const planOf = async (variant: BackendVariant, args: object) => {
    const target = await targetAt(before, variant);
    return run(alembicPlan(createPlans(deps)), args, contextOf(target));
  };

  test('exactly 022 would run, and its SQL is there to be read', async () => {
    const outcome = await planOf('good', { from: before, to: after });
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain(`exactly ${after} would run`);
    expect(outcome.output).toContain('CREATE TABLE IF NOT EXISTS m10_recovery.outbox');
  });

  test('from an earlier revision more would run, which fails and names it', async () => {
    const outcome = await planOf('good', { from: '020_m10_matview_tracking', to: after });
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain(`${before} and ${after} would run, expected exactly ${after}`);
  });

  test('a revision that the code does not know fails', async () => {
    const outcome = await planOf('good', { from: before, to: '0zz_nothing' });
    expect(outcome.summary).toContain("Can't locate revision");
  });

  test('blocking statements are found and ranked before advice', async () => {
    const outcome = await planOf('dangerous-sql', { from: before, to: after });
    expect(outcome.summary).toMatch(/[1-9]\d* blocking/);
    const lines = outcome.output?.split('\n') ?? [];
    const first = lines.findIndex((l) => l.startsWith('advice:'));
    const last = lines.findLastIndex((l) => l.startsWith('blocking:'));
    expect(last).toBeGreaterThan(-1);
    expect(first === -1 || last < first).toBe(true);
  });

  test('statements that throw rows away are found, and Alembic’s own row is not one', async () => {
    const found = await findingsOf(
      deps,
      `BEGIN;\nDELETE FROM alembic_version WHERE version_num = 'x';\nDELETE FROM m10_recovery.work_queue;\nDROP TABLE m10_recovery.work_queue;\nCOMMIT;`,
    );
    if (found.kind !== 'linted') throw new Error(found.why);
    const losses = found.findings.filter((f) => f.rank === 'data-loss');
    expect(losses.map((f) => [f.rule, f.line])).toEqual([
      ['throws-rows-away', 3],
      ['ban-drop-table', 4],
    ]);
  });

  test('a loss fails unless its rule is accepted', async () => {
    const directory = join(world.directory, 'dropping');
    await layoutBackend({ directory });
    await writeFile(
      join(directory, 'migrations/versions/024_m10_drop.py'),
      `from alembic import op\nrevision = "024_m10_drop"\ndown_revision = "${beyond}"\n` +
        'def upgrade():\n    op.execute("DROP TABLE m10_recovery.candidate_notes")\n\ndef downgrade():\n    pass\n',
    );
    const target = world.target({ databaseUrl: (await world.databaseAt(before)).url, directory });
    const args = { from: beyond, to: '024_m10_drop' };
    const plan = alembicPlan(createPlans(deps));
    const outcome = await run(plan, args, contextOf(target));
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('1 statement may lose data: ban-drop-table');
    const accepted = await run(plan, { ...args, accept: ['ban-drop-table'] }, contextOf(target));
    expect(accepted).toMatchObject({ result: 'passed' });
  });
});

describe('what an approval of a migration covers', () => {
  test('every file that was read is a part of its own, and any change of one shows', async () => {
    const directory = join(world.directory, 'surveyed');
    await layoutBackend({ directory });
    const target = world.target({ databaseUrl: (await world.databaseAt(before)).url, directory });
    const context = contextOf(target);
    const plans = createPlans(deps);
    const survey = async () => {
      const result = await surveyOf(plans, 'upgrade', { from: [before], to: [after] }, context);
      if (result.kind === 'failed') throw new Error(result.why);
      return result;
    };

    const first = await survey();
    expect(await survey()).toEqual(first);
    expect(first).toMatchObject({ warnings: [], headline: [] });
    expect(first.sql[0]).toMatchObject({ from: before, to: after, revisions: [after] });
    expect(first.parts['uncommitted changes']).toBe('none');
    expect(first.parts['version table']).toBe('public.alembic_version');

    // Another file that the migration imports: the script of 022 itself stays what it was.
    await appendFile(join(directory, 'migrations/hardening/locks.py'), '\n# edited by hand\n');
    const edited = await survey();
    const differing = Object.keys(edited.parts).filter((name) => edited.parts[name] !== first.parts[name]);
    expect(differing.sort()).toEqual([
      'code digest',
      'file migrations/hardening/locks.py',
      'uncommitted changes',
    ]);
    expect(edited.warnings).toEqual([
      'the code has changes that are not committed (migrations/hardening/locks.py)',
    ]);

    await commitBackend(directory, 'Edit');
    const committed = await survey();
    expect(committed.parts['code commit']).not.toBe(first.parts['code commit']);
    expect(committed.warnings).toEqual([]);
  });

  test('a plan that leaves its transaction is warned of', async () => {
    const target = await targetAt(before, 'autocommit-block');
    const survey = await surveyOf(
      createPlans(deps),
      'upgrade',
      { from: [before], to: [after] },
      contextOf(target),
    );
    if (survey.kind === 'failed') throw new Error(survey.why);
    expect(survey.warnings.join()).toMatch(
      /outside the transaction: a failure half-way leaves what ran before \(CREATE INDEX CONCURRENTLY/,
    );
  });

  test('more than one revision is warned of, and a downgrade lists what it takes back', async () => {
    const target = await targetAt(before);
    const plans = createPlans(deps);
    const up = await surveyOf(plans, 'upgrade', { from: [before], to: [beyond] }, contextOf(target));
    expect(up).toMatchObject({ warnings: [`2 revisions would run: ${after} and ${beyond}`] });
    const down = await surveyOf(plans, 'downgrade', { from: [after], to: [before] }, contextOf(target));
    expect(down).toMatchObject({ warnings: [], sql: [{ revisions: [after] }] });
  });

  test('a plan that cannot be made fails the survey, with the reason', async () => {
    const target = { ...(await targetAt(before)), directory: '/nowhere' };
    const survey = await surveyOf(
      createPlans(deps),
      'upgrade',
      { from: [before], to: [after] },
      contextOf(target),
    );
    expect(survey).toMatchObject({ kind: 'failed', why: expect.stringContaining('/nowhere') });
  });
});
