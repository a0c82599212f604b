import { Runbook } from '../../../src/runbook/definition.js';
import type { EventOf, Plan, RunEvent } from '../../../src/runbook/events.js';
import { fold } from '../../../src/runbook/evolve.js';
import type { OpenedRun } from '../../../src/runbook/state.js';

export const alice = 'U0ALICE001';
export const bob = 'U0BOB00001';
export const carol = 'U0CAROL001';
export const t0 = Date.parse('2026-01-10T02:00:00Z');

/** A runbook of two phases; every free text in it is `text` when that is given. */
export function sampleRunbook(text?: string, steps = 2): Runbook {
  const title = (own: string) => (text === undefined ? own : `${text}xxx`.slice(0, 140));
  return Runbook.parse({
    runbook: 'sample',
    title: title('A sample migration'),
    targets: ['staging', 'production'],
    migration: { from: text || '021', to: text || '022' },
    phases: [
      {
        id: 'preflight',
        title: title('Look before'),
        gate: 'none',
        steps: Array.from({ length: steps }, (_, n) => ({
          id: `look-${n + 1}`,
          title: title(`Look number ${n + 1}`),
          on: 'staging',
          uses: 'check',
        })),
      },
      {
        id: 'staging',
        title: title('Change staging'),
        on: 'staging',
        gate: { approvals: 1, expires: '30m' },
        steps: [
          {
            id: 'apply',
            title: title('Apply the migration'),
            uses: 'change',
            'on-failure':
              text === undefined
                ? 'The migration is one transaction: nothing was applied.'
                : text.slice(0, 600),
          },
          { id: 'verify', title: title('Verify the revision'), uses: 'check' },
        ],
      },
    ],
    operations: [
      {
        id: 'backup',
        title: title('A backup'),
        on: 'production',
        gate: { approvals: 1 },
        steps: [{ id: 'dump', title: title('Dump it'), uses: 'change' }],
      },
    ],
    rollback: {
      id: 'rollback',
      title: title('Undo the migration'),
      on: 'production',
      gate: { approvals: 1 },
      steps: [{ id: 'undo', title: title('Downgrade'), uses: 'change' }],
    },
  });
}

export function samplePlan(text?: string, steps = 2): Plan {
  const say = (own: string) => text ?? own;
  return {
    steps: Array.from({ length: steps }, (_, n) => ({
      id: n === 0 ? 'apply' : `verify-${n}`,
      title: say('Apply the migration'),
      target: say('staging'),
      uses: 'alembic.upgrade',
      changes: n === 0,
      words: say(n === 0 ? 'Upgrade staging from 021 to 022' : 'Read the revision of staging'),
      commands: [say(n === 0 ? 'alembic upgrade 022' : 'alembic current')],
    })),
    targets: [{ target: say('staging'), database: say('m10_staging'), revision: say('021') }],
    sql: [
      {
        step: 'apply',
        target: say('staging'),
        from: say('021'),
        to: say('022'),
        revisions: [say('022')],
        sql: say('CREATE TABLE a (id int);\nDROP TABLE b;\n'),
        sha256: 'ab'.repeat(32),
        findings: [
          {
            rank: 'advice',
            rule: 'prefer-bigint',
            message: say('Use bigint'),
            line: 1,
            statement: 'CREATE TABLE a',
          },
          {
            rank: 'data-loss',
            rule: 'ban-drop-table',
            message: say('Dropping a table loses its rows'),
            line: 2,
            statement: 'DROP TABLE b',
          },
        ],
      },
    ],
    warnings: [say('A dump of production is running; wait for its end first.')],
  };
}

export const opened = (runbook = sampleRunbook()): EventOf<'RunOpened'> => ({
  type: 'RunOpened',
  run: 7,
  purpose: { kind: 'runbook' },
  runbook,
  digest: 'cd'.repeat(32),
  channel: 'C0INCIDENT',
  by: alice,
  changing: ['change'],
});

/** The fingerprint of what request 1 asks for. */
const asked = '0123456789abcdef'.repeat(4);

const phase = (id: string) => ({ kind: 'phase', id }) as const;

export function finished(
  block: string,
  step: string,
  change: Partial<EventOf<'StepFinished'>> = {},
): EventOf<'StepFinished'> {
  return {
    type: 'StepFinished',
    block: phase(block),
    step,
    attempt: 1,
    result: 'passed',
    summary: 'at 021',
    output: '',
    outputFile: null,
    data: {},
    durationMs: 400,
    recovered: false,
    ...change,
  };
}

export const started = (block: string, step: string, attempt = 1): EventOf<'StepStarted'> => ({
  type: 'StepStarted',
  block: phase(block),
  step,
  attempt,
  target: 'staging',
});

export const blockStarted = (id: string): EventOf<'BlockStarted'> => ({
  type: 'BlockStarted',
  block: phase(id),
  from: null,
});
export const blockFinished = (id: string): EventOf<'BlockFinished'> => ({
  type: 'BlockFinished',
  block: phase(id),
});

export const requested = (text = ''): EventOf<'ApprovalRequested'> => ({
  type: 'ApprovalRequested',
  gate: 1,
  cover: { kind: 'block', block: phase('staging'), from: null, reason: text },
  by: alice,
  via: 'command',
});

export const gateOpened = (plan = samplePlan(), needs = 1): EventOf<'GateOpened'> => ({
  type: 'GateOpened',
  gate: 1,
  needs,
  from: ['dba'],
  eligible: [alice, bob, carol],
  expiresAt: t0 + 30 * 60_000,
  fingerprint: { digest: asked, parts: { revision: '021' } },
  plan,
});

export const approved = (by = bob): EventOf<'ApprovalGiven'> => ({
  type: 'ApprovalGiven',
  gate: 1,
  by,
  emoji: 'white_check_mark',
  via: 'reaction',
});

export const spent: EventOf<'GateSpent'> = { type: 'GateSpent', gate: 1, approvers: [bob], digest: asked };

export function assessed(text?: string): EventOf<'FailureAssessed'> {
  const say = (own: string) => text ?? own;
  return {
    type: 'FailureAssessed',
    block: phase('staging'),
    step: 'apply',
    attempt: 1,
    targets: [
      {
        target: say('staging'),
        summary: say('at 021_m10_durable_queue_fallback'),
        revision: '021',
        reachable: true,
      },
      { target: say('production'), summary: say('no answer'), revision: null, reachable: false },
    ],
    loss: [
      { label: say('Rows in the outbox'), target: say('staging'), count: 1234, note: '' },
      {
        label: say('Replay log'),
        target: say('staging'),
        count: null,
        note: say('the table does not exist'),
      },
    ],
    notes: [say('Blocked by pid 4711, idle in transaction for 5 min')],
  };
}

export const closed = (text = ''): EventOf<'RunClosed'> => ({
  type: 'RunClosed',
  by: text === '' ? 'm10bot' : alice,
  outcome: text === '' ? 'verified' : 'closed',
  reason: text,
  targets: [{ target: text || 'staging', summary: text || 'at 022', revision: '022', reachable: true }],
});

/** The whole preflight, passed. */
export const preflight = (runbook = sampleRunbook()): RunEvent[] => [
  opened(runbook),
  blockStarted('preflight'),
  ...(runbook.phases[0]?.steps ?? []).flatMap((s) => [
    started('preflight', s.id),
    finished('preflight', s.id),
  ]),
  blockFinished('preflight'),
];

/** Events a second apart. */
export function at(...events: RunEvent[]): OpenedRun {
  const state = fold(events.map((event, index) => ({ event, at: t0 + index * 1_000 })));
  if (state.kind === 'none') throw new Error('the events open no run');
  return state;
}
