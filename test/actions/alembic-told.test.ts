import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alembicUpgrade } from '../../src/actions/alembic/upgrade.js';
import { createPlans } from '../../src/checks/plan/plans.js';
import { contextOf, createWorld, run, sql, type World } from '../checks/world.js';
import { layoutProject } from '../clients/alembic/project.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';

let world: World;
let folder: string;
const databases: FreshDatabase[] = [];
beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), 'm10-files-'));
});
afterAll(async () => {
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  await world.drop();
});

test('a file that only the run reads is told, since no approval could cover it', async () => {
  const database = await freshDatabase('files');
  databases.push(database);
  const directory = await layoutProject(join(folder, 'project'), {
    versions: {
      a: ["op.execute('create table t (name text)')"],
      b: [
        'if not context.is_offline_mode():',
        '    for line in open("data/names.csv"):',
        '        op.execute(f"insert into t values (\'{line.strip()}\')")',
      ],
    },
    files: { 'data/names.csv': 'ada\ngrace\n' },
  });
  const target = world.target({ databaseUrl: database.url, directory });
  const deps = world.deps();
  const upgrade = alembicUpgrade(deps, createPlans(deps));
  await sql(
    database.url,
    "create table alembic_version (version_num varchar(32)); insert into alembic_version values ('a'); create table t (name text)",
  );
  const outcome = await run(upgrade, { from: 'a', to: 'b' }, contextOf(target));
  expect(outcome.result).toBe('passed');
  expect(outcome.notes?.join('\n')).toMatch(/1 file read that no approval covers: data\/names\.csv/);
  expect(await sql(database.url, 'select name from t order by 1')).toEqual([
    { name: 'ada' },
    { name: 'grace' },
  ]);
});

test('a program that only the run starts is told, since nobody knows what it did', async () => {
  const database = await freshDatabase('programs');
  databases.push(database);
  const directory = await layoutProject(join(folder, 'programs'), {
    versions: {
      a: ["op.execute('create table t (name text)')"],
      b: {
        head: ['import os, subprocess'],
        up: [
          "op.execute('alter table t add column note text')",
          'if not context.is_offline_mode():',
          '    subprocess.run(["true", "delete from t"], check=True)',
        ],
      },
    },
  });
  const target = world.target({ databaseUrl: database.url, directory });
  const deps = world.deps();
  const upgrade = alembicUpgrade(deps, createPlans(deps));
  await sql(
    database.url,
    "create table alembic_version (version_num varchar(32)); insert into alembic_version values ('a'); create table t (name text)",
  );
  const outcome = await run(upgrade, { from: 'a', to: 'b' }, contextOf(target));
  expect(outcome.result).toBe('passed');
  expect(outcome.notes?.join('\n')).toMatch(/1 program started that no request showed.*true delete from t/);
});

test.each([
  ["op.execute('SET LOCAL lock_timeout = 0')", true],
  ["op.execute(\"select set_config('lock_timeout', '0', false)\")", true],
  ["op.execute('RESET ALL')", true],
  ["op.execute('alter table t add column lock_timeout_note text')", false],
])('a migration that sets its own lock timeout is told before anybody approves: %s', async (line, told) => {
  const database = await freshDatabase('own_limit');
  databases.push(database);
  const directory = await layoutProject(await mkdtemp(join(folder, 'limit-')), {
    versions: { a: ["op.execute('create table t (name text)')"], b: [line] },
  });
  const target = world.target({ databaseUrl: database.url, directory });
  const deps = world.deps();
  await sql(
    database.url,
    "create table alembic_version (version_num varchar(32)); insert into alembic_version values ('a'); create table t (name text)",
  );
  const bound = alembicUpgrade(deps, createPlans(deps)).bind({ from: 'a', to: 'b' });
  if (!bound.ok) throw new Error('it binds');
  const survey = await bound.step.survey?.(contextOf(target));
  const headline = survey?.kind === 'surveyed' ? (survey.headline ?? []) : [];
  expect(headline.some((each) => each.includes('sets lock_timeout itself'))).toBe(told);
});
