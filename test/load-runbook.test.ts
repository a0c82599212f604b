import { beforeAll, describe, expect, test } from 'vitest';
import { offlineKinds } from '../src/cli/kinds.js';
import { sqlParser } from '../src/clients/sql/parser.js';
import { checkRunbook, RunbookError } from '../src/load-runbook.js';

const good = `
runbook: two-steps
title: Two revisions on one database
targets: [db]
migration: { from: r1, to: r3 }
phases:
  - id: prepare
    title: Before anything
    gate: none
    steps:
      - { id: p.plan, title: What would run, uses: alembic.plan, with: { from: r1, to: r2 } }
  - id: apply
    title: Apply both
    gate: { approvals: 1, expires: 20m }
    steps:
      - { id: a.backup, title: A backup, uses: postgres.backup, timeout: 1h }
      - { id: a.one, title: To r2, uses: alembic.upgrade, with: { from: r1, to: r2, backup: a.backup } }
      - { id: a.two, title: To r3, uses: alembic.upgrade, with: { from: r2, to: r3, backup: none, lock-timeout: 3s } }
operations:
  - id: again
    title: A backup at any time
    gate: { approvals: 1 }
    steps:
      - { id: o.backup, title: A backup, uses: postgres.backup }
rollback:
  id: rollback
  title: Back
  gate: { approvals: 1 }
  steps:
    - { id: b.two, title: To r2, uses: alembic.downgrade, with: { from: r3, to: r2 } }
    - { id: b.one, title: To r1, uses: alembic.downgrade, with: { from: r2, to: r1 } }
`;

beforeAll(() => sqlParser());

function problems(...changes: readonly (readonly [string, string])[]): readonly string[] {
  const text = changes.reduce((now, [from, to]) => {
    expect(now).toContain(from);
    return now.replace(from, to);
  }, good);
  try {
    // What does not fit together is refused by `runbook check` alone.
    return checkRunbook('book.yml', text, offlineKinds(), null).unrelated;
  } catch (error) {
    if (error instanceof RunbookError) return error.problems;
    throw error;
  }
}

test('a way of several upgrades, each from where the one before ends, is fine', () => {
  expect(problems()).toEqual([]);
});

describe('durations', () => {
  test.each([
    ['expires: 20m', 'expires: 30', 'phases.1.gate.expires', '30'],
    ['timeout: 1h', 'timeout: 15', 'phases.1.steps.0.timeout', '15'],
    ['lock-timeout: 3s', 'lock-timeout: 3000', 'phases.1.steps.2.with.lock-timeout', '3000'],
    ['lock-timeout: 3s', 'lock-timeout: 0.5', 'phases.1.steps.2.with.lock-timeout', '0.5'],
    ['timeout: 1h', 'timeout: "15"', 'phases.1.steps.0.timeout', '"15"'],
    ['timeout: 1h', 'timeout: ~', 'phases.1.steps.0.timeout', 'null'],
  ])('%s → %s has no unit: refused with its place and examples', (from, to, key, found) => {
    expect(problems([from, to])).toEqual([
      expect.stringMatching(
        new RegExp(
          `^book\\.yml:\\d+:\\d+ ${key}: expected a duration with its unit, such as 30s, 15m or 2h, found ${found}$`,
        ),
      ),
    ]);
  });
});

describe('backups', () => {
  const first = 'backup: a.backup';
  test.each([
    ['a step that is not there', 'backup: a.bakcup', '"a.bakcup"'],
    ['a step that backs nothing up', 'backup: p.plan', '"p.plan"'],
    ['an operation, which may never run', 'backup: o.backup', '"o.backup"'],
    ['itself', 'backup: a.one', '"a.one"'],
  ])('%s is refused', (_, to, found) => {
    expect(problems([first, to])).toEqual([
      expect.stringMatching(
        new RegExp(
          `^book\\.yml:17:\\d+ phases\\.1\\.steps\\.1\\.with\\.backup: expected an earlier step that backs up db \\(a\\.backup\\), or none where no backup is wanted, found ${found}$`,
        ),
      ),
    ]);
  });
  test('an upgrade that says nothing of a backup is refused', () => {
    expect(problems([`, ${first}`, ''])).toEqual([
      expect.stringMatching(
        /^book\.yml:17:\d+ phases\.1\.steps\.1\.with\.backup: expected .*, found nothing$/,
      ),
    ]);
  });
  test('and one of another target, or of later, does not count', () => {
    expect(
      problems(
        ['targets: [db]', 'targets: [other, db]'],
        ['uses: postgres.backup, timeout', 'uses: postgres.backup, on: other, timeout'],
      ),
    ).toEqual([expect.stringMatching(/backup: expected an earlier step that backs up db, or none/)]);
    expect(
      problems(
        ['backup: none', 'backup: z.late'],
        [
          'operations:',
          `  - id: late
    title: Too late
    gate: { approvals: 1 }
    steps:
      - { id: z.late, title: A backup, uses: postgres.backup }
operations:`,
        ],
      ),
    ).toEqual([expect.stringMatching(/steps\.2\.with\.backup: expected an earlier step/)]);
  });
});

describe('revisions', () => {
  test('a step that goes nowhere is refused, and so is such a migration', () => {
    expect(
      problems(['alembic.plan, with: { from: r1, to: r2 }', 'alembic.plan, with: { from: r1, to: r1 }']),
    ).toEqual([
      expect.stringMatching(
        /^book\.yml:11:\d+ phases\.0\.steps\.0\.with\.to: expected another revision than with\.from, found "r1"$/,
      ),
    ]);
    expect(problems(['{ from: r2, to: r3, backup', '{ from: r2, to: r2, backup'])).toEqual([
      expect.stringMatching(/phases\.1\.steps\.2\.with\.to: expected another revision than with\.from/),
      expect.stringMatching(
        /phases\.1\.steps\.2\.with\.to: expected r3, where the migration ends, found "r2"/,
      ),
    ]);
    expect(problems(['migration: { from: r1, to: r3 }', 'migration: { from: r3, to: r3 }'])).toEqual([
      expect.stringMatching(/^book\.yml:5:\d+ migration\.to: expected another revision than migration\.from/),
    ]);
  });
  test.each([
    [
      'the start',
      '{ from: r1, to: r2, backup',
      '{ from: r0, to: r2, backup',
      /steps\.1\.with\.from: expected r1, where the migration begins, found "r0"/,
    ],
    [
      'the middle',
      '{ from: r2, to: r3, backup',
      '{ from: r9, to: r3, backup',
      /steps\.2\.with\.from: expected r2, where step a\.one leaves db, found "r9"/,
    ],
    [
      'the end',
      '{ from: r2, to: r3, backup',
      '{ from: r2, to: r4, backup',
      /steps\.2\.with\.to: expected r3, where the migration ends, found "r4"/,
    ],
    [
      'the way back',
      '{ from: r2, to: r1 }',
      '{ from: r2, to: r0 }',
      /rollback\.steps\.1\.with\.to: expected r1, where the way back ends, found "r0"/,
    ],
    [
      'the begin of the way back',
      '{ from: r3, to: r2 }',
      '{ from: r4, to: r2 }',
      /rollback\.steps\.0\.with\.from: expected r3, where the way back begins/,
    ],
  ])('steps that leave the migration at %s are refused', (_, from, to, told) => {
    expect(problems([from, to])).toEqual([expect.stringMatching(told)]);
  });
  test('several heads are the same in any order', () => {
    expect(
      problems(
        ['migration: { from: r1, to: r3 }', 'migration: { from: r1, to: [r4, r3] }'],
        ['{ from: r2, to: r3, backup', '{ from: r2, to: [r3, r4], backup'],
        ['{ from: r3, to: r2 }', '{ from: [r3, r4], to: r2 }'],
      ),
    ).toEqual([]);
  });
});

test('mistakes of shape hide none of the others', () => {
  expect(
    problems(
      ['title: Two revisions on one database', 'title: 7'],
      ['gate: none', 'gate: nobody'],
      ['timeout: 1h', 'timeout: 15, on: elsewhere'],
      ['title: What would run, ', ''],
      ['alembic.plan, with: { from: r1', 'alembic.plan, with: { frm: r1'],
      ['a.two, title: To r3, uses: alembic.upgrade', 'a.one, title: To r3, uses: alembic.upgarde'],
      ['{ from: r2, to: r1 }', '{ from: r2, to: r0 }'],
    ).map((each) => each.replace(/^book\.yml:(\d+):\d+ (\S+): .*$/s, '$1 $2')),
  ).toEqual(
    expect.arrayContaining([
      '3 title',
      '9 phases.0.gate',
      '11 phases.0.steps.0.title',
      '11 phases.0.steps.0.with.from',
      '11 phases.0.steps.0.with.frm',
      '16 phases.1.steps.0.timeout',
      '16 phases.1.steps.0.on',
      '17 phases.1.steps.1.with.backup',
      '18 phases.1.steps.2.id',
      '18 phases.1.steps.2.uses',
      '31 rollback.steps.1.with.to',
    ]),
  );
});

test.each(['', '7', '[]', 'phases: 7', 'phases: [7, { steps: [7, { uses: 7, with: 7 }] }]\nrollback: []'])(
  'a file that is hardly a runbook is a list of mistakes: %j',
  (text) => {
    expect(() => checkRunbook('book.yml', text, offlineKinds(), null)).toThrow(/has [1-9]\d* problem/);
  },
);
