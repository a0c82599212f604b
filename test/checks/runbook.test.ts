import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createActions } from '../../src/actions/index.js';
import { createChecks } from '../../src/checks/index.js';
import type { TargetConfig } from '../../src/config.js';
import { Runbook, targetOf } from '../../src/runbook/definition.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import type { StepKind } from '../../src/runbook/step-kind.js';
import { contextOf, createWorld, type World } from './world.js';

let world: World;
let book: Runbook;
let kinds: Map<string, StepKind<TargetConfig>>;

beforeAll(async () => {
  world = await createWorld();
  book = Runbook.parse(parse(await readFile('runbooks/022_m10_production_hardening.yml', 'utf8')));
  const deps = world.deps();
  kinds = new Map([...createChecks(deps), ...createActions(deps)].map((k) => [k.name, k]));
});
afterAll(() => world.drop());

const blocksOf = (runbook: Runbook) => [...runbook.phases, ...runbook.operations, runbook.rollback];

test('every name of a kind is used once, every changing kind has a probe, and no check has one', () => {
  const deps = world.deps();
  const all = [...createChecks(deps), ...createActions(deps)];
  expect(kinds.size).toBe(all.length);
  expect(createChecks(deps).every((k) => !k.changes)).toBe(true);
  expect(createActions(deps).every((k) => k.changes)).toBe(true);
});

test('every step of the 022 runbook binds to its kind and describes itself', () => {
  const problems: string[] = [];
  for (const block of blocksOf(book)) {
    for (const step of block.steps) {
      const bound = kinds.get(step.uses)?.bind(step.with);
      if (bound === undefined) problems.push(`${step.id}: no kind ${step.uses}`);
      else if (!bound.ok) problems.push(`${step.id}: ${JSON.stringify(bound.issues)}`);
      else {
        const target = world.target({
          name: targetOf(book, block, step),
          databaseUrl: 'postgresql://admin:secret-word@db.example/m10',
          redisUrl: 'redis://:secret-word@redis.example/0',
        });
        const context = { ...contextOf(target), runbook: book, step };
        const { words, commands } = bound.step.describe(context);
        if (!/^[A-Z].*\.$/s.test(words)) problems.push(`${step.id}: not a sentence: ${words}`);
        if (`${words} ${commands.join()}`.includes('secret-word')) problems.push(`${step.id} shows a secret`);
        expect(bound.step.describe(context)).toEqual({ words, commands });
        if (kinds.get(step.uses)?.changes === true) {
          expect(bound.step.probe).toBeDefined();
          expect(bound.step.survey).toBeDefined();
        }
      }
    }
  }
  expect(problems).toEqual([]);
});

test('every step has an id of its own, as skip and data of a step ask for', () => {
  const ids = blocksOf(book).flatMap((b) => b.steps.map((s) => s.id));
  expect(new Set(ids).size).toBe(ids.length);
});

test('nothing without a gate changes anything', () => {
  for (const block of blocksOf(book)) {
    const changing = block.steps.filter((s) => kinds.get(s.uses)?.changes === true);
    if (block.gate === 'none') expect(changing.map((s) => s.id)).toEqual([]);
  }
});

test('the order holds: staging before production, a backup right before the upgrade, production back first', () => {
  expect(book.phases.map((p) => p.id)).toEqual([
    'preflight',
    'staging',
    'production',
    'verification',
    'jobs',
  ]);
  const production = book.phases[2]?.steps.map((s) => s.id) ?? [];
  expect(production.indexOf('production.backup')).toBe(production.indexOf('production.apply') - 1);
  const back = book.rollback.steps.filter((s) => s.uses === 'alembic.downgrade').map((s) => s.on);
  expect(back).toEqual(['production', 'staging']);
  for (const target of back) {
    const own = book.rollback.steps.filter((s) => s.on === target).map((s) => s.uses);
    const pause = target === 'production' ? ['jobs.pause'] : [];
    expect(own).toEqual([
      ...pause,
      'postgres.archive',
      'alembic.downgrade',
      'alembic.current',
      'postgres.objects',
    ]);
  }
});

test('the jobs are handed over last: each is run once before the schedules are switched on, and looked at after', () => {
  const jobs = book.phases.at(-1)?.steps ?? [];
  expect(jobs.map((s) => s.uses)).toEqual([
    'jobs.retire',
    ...jobNames.map(() => 'jobs.run'),
    'jobs.resume',
    'jobs.scheduled',
  ]);
  const runs = jobs.filter((s) => s.uses === 'jobs.run');
  expect(runs.map((s) => s.with)).toEqual(jobNames.map((job) => ({ job })));
  expect(book.rollback.steps[0]).toMatchObject({
    uses: 'jobs.pause',
    on: 'production',
    with: { jobs: 'all' },
  });
});

test('mistakes in a step’s arguments are told with their keys', () => {
  const upgrade = kinds.get('alembic.upgrade');
  expect(upgrade?.bind({ from: '021', 'lock-timout': '5s' })).toMatchObject({
    ok: false,
    issues: [
      {
        path: ['to'],
        message: 'expected the whole name of a revision, or a list of them for a database with several heads',
      },
      { path: ['lock-timout'], message: 'this argument is not known here' },
    ],
  });
});
