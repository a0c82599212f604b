import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alembicUpgrade } from '../../src/actions/alembic/upgrade.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { createPlans, type Plans } from '../../src/checks/plan/plans.js';
import type { TargetConfig } from '../../src/config.js';
import type { Executed } from '../../src/runbook/executed.js';
import type { Outcome } from '../../src/runbook/step-kind.js';
import { bind, contextOf, createWorld, probe, run, sql, type World } from '../checks/world.js';
import { hasModule, toolEnv } from '../clients/alembic/place.js';
import { layoutProject, plainEnv } from '../clients/alembic/project.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';

let world: World;
let deps: StepDeps;
let plans: Plans;
let folder: string;
const databases: FreshDatabase[] = [];
beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
  plans = createPlans(deps);
  folder = await mkdtemp(join(tmpdir(), 'm10-executed-'));
});
afterAll(async () => {
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  await world.drop();
});

const upgrade = () => alembicUpgrade(deps, plans);
const args = { from: 'a', to: 'b' };

const tables = `create table alembic_version (version_num varchar(32)); insert into alembic_version values ('a');
  create table t (id int primary key, name text); insert into t select n, 'x' from generate_series(1, 9) n;
  create table u (id int references t (id))`;

/** A project at `a`, whose `b` runs these lines. */
async function targetWith(
  up: readonly string[],
  more: { env?: string; setup?: string } = {},
): Promise<TargetConfig> {
  const database = await freshDatabase('executed');
  databases.push(database);
  await sql(database.url, `${tables}; ${more.setup ?? ''}`);
  const directory = await layoutProject(await mkdtemp(join(folder, 'project-')), {
    versions: { a: [], b: up },
    ...(more.env === undefined ? {} : { env: more.env }),
  });
  return world.target({ databaseUrl: database.url, directory });
}

type Context = ReturnType<typeof contextOf>;

const texts = ({ executed }: Outcome) => executed?.statements.map((s) => s.text);
const notes = (outcome: Outcome) => outcome.notes?.join('\n') ?? '';

/** Runs only where there is a database, as no printed SQL shows it. */
const online = (lines: readonly string[]) => [
  'bind = None if context.is_offline_mode() else op.get_bind()',
  'if bind is not None:',
  ...lines.map((line) => `    ${line}`),
];

describe('queries of a migration', () => {
  test('what only reads is neither recorded nor told, reflection and loops over rows included', async () => {
    const target = await targetWith(
      online([
        'seen = sa.inspect(bind)',
        'assert seen.has_table("t") and seen.get_columns("t") and seen.get_foreign_keys("u")',
        'assert seen.get_pk_constraint("t") and not seen.get_indexes("t")',
        'assert not seen.get_unique_constraints("t") and not seen.get_check_constraints("t")',
        'assert seen.get_table_names() and not seen.get_view_names()',
        'sa.Table("u", sa.MetaData(), autoload_with=bind)',
        'rows = bind.execute(sa.text("select id, lower(name) from t where id > 3 order by id")).fetchall()',
        'assert bind.execute(sa.text("select count(*) from t")).scalar() == 9',
      ]),
    );
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome).toMatchObject({ result: 'passed', notes: [] });
    expect(texts(outcome)).toEqual([]);
  });

  test('a view or a function of the project that deletes rows is told, however harmless its name', async () => {
    const setup = `
      create function count() returns bigint language sql as 'with d as (delete from t where id = 1 returning 1) select sum(1) from d';
      create function generate_report() returns int language sql as 'delete from t where id = 2 returning 1';
      create view pg_stat_orders as select generate_report();
      create function purge() returns int language sql as 'delete from t where id = 3 returning 1';
      create view stale as select purge()`;
    const target = await targetWith(
      online([
        'bind.execute(sa.text("select public.count()"))',
        'bind.execute(sa.text("select generate_report()"))',
        'bind.execute(sa.text("select * from pg_stat_orders"))',
        'bind.execute(sa.text("select * from stale"))',
      ]),
      { setup },
    );
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome.result).toBe('passed');
    expect(await sql(target.databaseUrl, 'select count(*)::int as n from t')).toEqual([{ n: 6 }]);
    expect(texts(outcome)).toHaveLength(4);
    expect(outcome.executed?.statements.map((s) => s.note)).toEqual([
      'calls public.count: may change rows',
      'calls generate_report: may change rows',
      'reads pg_stat_orders, a view: may change rows',
      'reads stale, a view: may change rows',
    ]);
    expect(notes(outcome)).toMatch(
      /4 statements executed that the printed SQL did not have: select public\.count/,
    );
    // What the note leaves out is in the output, whole.
    expect(notes(outcome)).toMatch(/… and 1 more in the output/);
    expect(outcome.output).toMatch(/select \* from stale;\s+-- reads stale, a view/);
  });

  test('a printed query of a plain table is no difference', async () => {
    const target = await targetWith(["op.execute('select * from t')", "op.execute('delete from u')"]);
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome).toMatchObject({ result: 'passed', notes: [] });
    expect(texts(outcome)).toEqual(['delete from u']);
  });
});

test.skipIf(!hasModule('asyncpg'))('values that were bound are shown and compared (asyncpg)', async () => {
  const env = `import asyncio, os
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def work(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main())
`;
  const target = await targetWith(
    [
      'names = sa.table("t", sa.column("id", sa.Integer), sa.column("name", sa.Text))',
      "op.bulk_insert(names, [{'id': 20, 'name': 'ada'}, {'id': 21, 'name': \"it's\"}])",
      ...online([
        'bind.execute(sa.delete(names).where(names.c.id == 3))',
        'assert bind.execute(sa.select(names.c.name).where(names.c.id == 20)).scalar() == "ada"',
      ]),
    ],
    { env },
  );
  const outcome = await run(upgrade(), args, contextOf({ ...target, env: toolEnv() }));
  expect(outcome.notes).toEqual([
    expect.stringMatching(
      /^1 statement executed that the printed SQL did not have: DELETE FROM t WHERE t.id = 3/,
    ),
  ]);
  expect(texts(outcome)?.join()).toMatch(/20.*'ada'.*21.*'it''s'/s);
});

describe('more often, or in another order, than approved', () => {
  const thrice = [
    'for _ in range(1 if context.is_offline_mode() else 3):',
    "    op.execute('update t set name = name || 1')",
  ];

  test('a statement that was approved once and executed three times', async () => {
    const outcome = await run(upgrade(), args, contextOf(await targetWith(thrice)));
    expect(notes(outcome)).toMatch(
      /1 statement executed more often than approved: update t set name = name \|\| 1 \(3 times, approved 1\)/,
    );
  });

  test('is approved once an earlier target did the same, and the request has shown it', async () => {
    const first = await run(upgrade(), args, contextOf(await targetWith(thrice)));
    const context = { ...contextOf(await targetWith(thrice)), elsewhere: [staging(first.executed ?? null)] };
    const survey = await bind(upgrade(), args).survey?.(context);
    expect(survey).toMatchObject({
      sql: [{ unprinted: [{ statements: [{ text: 'update t set name = name || 1' }, {}] }] }],
    });
    expect(await run(upgrade(), args, context)).toMatchObject({ result: 'passed', notes: [] });
  });

  test('another order is one short line', async () => {
    const target = await targetWith([
      "both = ['delete from u', 'delete from t']",
      'for each in both if context.is_offline_mode() else reversed(both):',
      '    op.execute(each)',
    ]);
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome.notes).toEqual(['executed in another order than in the printed SQL']);
    const elsewhere = [staging(outcome.executed ?? null)];
    const survey = await bind(upgrade(), args).survey?.({ ...contextOf(target), elsewhere });
    if (survey?.kind !== 'surveyed') throw new Error('no survey');
    expect(survey.headline).toContain('staging executed the statements of the SQL in another order');
    expect(survey.parts).toHaveProperty('order on staging');
    expect(survey.sql[0]?.unprinted).toBeUndefined();
  });
});

function staging(executed: Executed | null) {
  return { target: 'staging', step: 'staging.one', uses: 'alembic.upgrade', with: args, executed };
}

describe('a migration that did not end well', () => {
  const more = online(["op.execute('delete from u')", "op.execute('update t set name = null')"]);

  test('is told in full where it passed all the same', async () => {
    // After the last commit: everything is done by then.
    const env = `import sys\n${plainEnv}    if "upgrade" in sys.argv:\n        raise RuntimeError("no mail server")\n`;
    const target = await targetWith(more, { env });
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome.result).toBe('passed');
    expect(outcome.summary).toMatch(/although alembic failed \(.*no mail server\)/);
    expect(notes(outcome)).toMatch(/2 statements executed that the printed SQL did not have: delete from u;/);
    expect(notes(outcome)).not.toMatch(/rolled back/);
  });

  test('tells what a failed one executed, and that it was rolled back', async () => {
    const target = await targetWith([...more, '    raise RuntimeError("no")']);
    const outcome = await run(upgrade(), args, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(notes(outcome)).toMatch(
      /2 statements executed that the printed SQL did not have: .*\(rolled back\)$/,
    );
  });
});

describe('a bot that was killed meanwhile', () => {
  const more = online(["op.execute('delete from u where id = 7')"]);

  test('finds the statements and their differences in the report that was left', async () => {
    const target = await targetWith(more);
    const partsOf = async () => {
      const survey = await bind(upgrade(), args).survey?.(contextOf(target));
      return survey?.kind === 'surveyed' ? survey.parts : {};
    };
    const approved = await partsOf();
    // What was carried out is still the plan that was approved.
    const drift: Context['drift'] = ({ parts }) =>
      Object.keys({ ...approved, ...parts }).filter((name) => approved[name] !== parts[name]);
    const context = { ...contextOf(target), drift };
    const outcome = await run(upgrade(), args, context);
    expect(texts(outcome)).toEqual(['delete from u where id = 7']);
    const found = await probe(upgrade(), args, context);
    expect(found).toMatchObject({
      kind: 'done',
      outcome: { result: 'passed', executed: outcome.executed, notes: outcome.notes },
    });
    expect(notes(outcome)).toMatch(/1 statement executed that the printed SQL did not have/);
  });

  test('says so when the code has changed since, or no report is left', async () => {
    const target = await targetWith(more);
    const context = contextOf(target);
    await run(upgrade(), args, context);
    const drifted = { ...context, drift: () => ['file env.py: changed'] };
    expect(await probe(upgrade(), args, drifted)).toMatchObject({
      outcome: {
        notes: [expect.stringMatching(/not compared with what was approved: it has changed since/)],
      },
    });
    await rm(deps.processes.paths(`${context.childId}/upgrade-b`).folder, { recursive: true });
    const lost = await probe(upgrade(), args, context);
    expect(lost).toMatchObject({
      kind: 'done',
      outcome: { notes: ['what was executed could not be observed'] },
    });
    expect(lost.kind === 'done' && lost.outcome.executed).toBe(undefined);
  });

  test('tells them too where it cannot tell what became of the step', async () => {
    const target = await targetWith([
      ...more,
      'with op.get_context().autocommit_block():',
      "    op.execute('create index concurrently t_name on t (name)')",
      ...online(['raise RuntimeError("no")']),
    ]);
    const context = contextOf(target);
    expect((await run(upgrade(), args, context)).result).toBe('failed');
    expect(await probe(upgrade(), args, context)).toMatchObject({
      kind: 'unknown',
      execution: {
        executed: { count: 2 },
        notes: [expect.stringMatching(/executed that the printed SQL did not have: delete from u/)],
      },
    });
  });
});

describe('a list of an earlier target', () => {
  const statements = Array.from({ length: 1_734 }, (_, id) => ({
    text: `delete from t where id = ${id}`,
    effect: 'changes' as const,
    outside: false,
  }));
  const cut: Executed = { statements: statements.slice(0, 500), count: 1_734, sha256: 'x', file: 'gone.txt' };

  test('is shown and linted in full', async () => {
    const target = await targetWith(["op.execute('delete from u')"]);
    const elsewhere = [staging({ ...cut, statements })];
    const survey = await bind(upgrade(), args).survey?.({ ...contextOf(target), elsewhere });
    if (survey?.kind !== 'surveyed') throw new Error('no survey');
    const [unprinted] = survey.sql[0]?.unprinted ?? [];
    expect(unprinted?.statements).toHaveLength(1_734);
    expect(unprinted?.findings.filter((f) => f.rule === 'throws-rows-away')).toHaveLength(1_734);
    expect(survey.headline).toEqual([]);
  });

  test('says how much of it is not at hand, before and after', async () => {
    const target = await targetWith(["op.execute('delete from u')"]);
    const context = { ...contextOf(target), elsewhere: [staging(cut)] };
    const survey = await bind(upgrade(), args).survey?.(context);
    const gap = /of 1,734 statements that staging executed, 1,234 are not at hand/;
    expect(survey).toMatchObject({ headline: [expect.stringMatching(gap)] });
    const outcome = await run(upgrade(), args, context);
    expect(outcome.notes?.[0]).toMatch(gap);
    expect(outcome.notes?.[0]).toMatch(/^compared with a part of what was approved/);
  });

  test('that was never recorded is no silence', async () => {
    const target = await targetWith(["op.execute('delete from u')"]);
    const survey = await bind(upgrade(), args).survey?.({ ...contextOf(target), elsewhere: [staging(null)] });
    expect(survey).toMatchObject({
      headline: ['Not all that the SQL leaves out can be shown: what staging executed was not recorded'],
    });
  });
});
