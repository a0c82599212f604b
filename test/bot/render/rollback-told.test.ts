import { describe, expect, test } from 'vitest';
import { auditFile, renderAudit } from '../../../src/bot/render/audit.js';
import { renderBlockFinished } from '../../../src/bot/render/block-finished.js';
import { renderCard } from '../../../src/bot/render/card.js';
import { renderGate } from '../../../src/bot/render/gate.js';
import { LIMITS } from '../../../src/bot/render/limits.js';
import { lengthOf, type Rendered } from '../../../src/bot/render/message.js';
import { gateClosedLine, gateRepostedLine } from '../../../src/bot/render/notes.js';
import { planFiles } from '../../../src/bot/render/plan-files.js';
import { renderPrompt } from '../../../src/bot/render/prompt.js';
import type { AuditEntry } from '../../../src/commands/reply.js';
import type { Loss, Plan, RunEvent } from '../../../src/runbook/events.js';
import { type Gate, gateById, type OpenedRun } from '../../../src/runbook/state.js';
import * as s from './sample.js';

const words = (rendered: Rendered) => JSON.stringify(rendered.blocks);
const gateOf = (state: OpenedRun): Gate => gateById(state, 1) ?? expect.unreachable();
const running: RunEvent[] = [
  ...s.preflight(),
  s.requested(),
  s.gateOpened(),
  s.approved(),
  s.spent,
  s.blockStarted('staging'),
  s.started('staging', 'apply'),
];
const failed = s.finished('staging', 'apply', { result: 'failed', summary: 'exit code 1' });

describe('a failure', () => {
  test('says on which target it is, at which step of how many, and that the other is untouched', () => {
    const assessed = s.assessed();
    const rendered = renderPrompt({ state: s.at(...running, failed, assessed), assessed, failed });
    expect(rendered.text).toMatch(/^🔴 Run 7: Apply the migration failed on staging, step 1 of 2\./);
    expect(rendered.text).toContain(
      '*production* is untouched: no step of this run has changed anything there.',
    );
    expect(words(rendered)).toContain('🔴 Run 7: Apply the migration failed on staging, step 1 of 2');
    expect(words(rendered)).toContain('step 1 of 2, on *staging* failed');
    expect(words(rendered)).toContain('*production* is untouched');
  });
  test('calls no target untouched on which a change has begun', () => {
    const backup = { kind: 'operation', id: 'backup' } as const;
    const dumped: RunEvent[] = [
      { type: 'BlockStarted', block: backup, from: null },
      { type: 'StepStarted', block: backup, step: 'dump', attempt: 1, target: 'production' },
      { ...s.finished('x', 'dump'), block: backup },
      { type: 'BlockFinished', block: backup },
    ];
    const assessed = s.assessed();
    const state = s.at(...s.preflight(), ...dumped, ...running.slice(s.preflight().length), failed, assessed);
    expect(words(renderPrompt({ state, assessed, failed }))).not.toContain('untouched');
  });
  test('counts no loss for a target that is back already', () => {
    const assessed = {
      ...s.assessed(),
      targets: [
        { target: 'staging', summary: 'at 022', revision: '022', reachable: true },
        { target: 'production', summary: 'at 021', revision: '021', reachable: true },
      ],
      loss: [
        { label: 'Rows in the outbox', target: 'staging', count: 3, note: '' },
        { label: 'Rows in the outbox', target: 'production', count: 0, note: 'no such table' },
        { label: 'Replay log', target: 'production', count: 0, note: 'no such table' },
      ],
    };
    const told = words(renderPrompt({ state: s.at(...running, failed, assessed), assessed, failed }));
    expect(told).toContain(
      '• Rows in the outbox on *staging*: 3\\n• Nothing on *production*, which is at 021 already',
    );
    expect(told).not.toContain('no such table');
  });
});

const rollback: RunEvent[] = [
  ...running,
  failed,
  s.assessed(),
  {
    type: 'ApprovalRequested',
    gate: 2,
    cover: { kind: 'block', block: { kind: 'rollback' }, from: null, reason: '' },
    by: s.alice,
    via: 'command',
  },
];
const loss: Loss[] = [
  { label: 'Rows in the outbox', target: 'staging', count: 1_234, note: '' },
  { label: 'Rows in the outbox', target: 'production', count: null, note: 'the connection was lost' },
];

test('the request for a rollback says what it loses', () => {
  const plan: Plan = { ...s.samplePlan(), loss };
  const state = s.at(...rollback, { ...s.gateOpened(plan), gate: 2 });
  const gate = gateById(state, 2) ?? expect.unreachable();
  expect(words(renderGate(state, gate))).toContain(
    '*What the rollback loses, counted for this request*\\n• Rows in the outbox on *staging*: 1,234\\n• Rows in the outbox on *production*: could not be counted (the connection was lost)',
  );
});

test('between the end of a rollback and the end of its run nothing is next', () => {
  const back = { kind: 'rollback' } as const;
  const finished: Extract<RunEvent, { type: 'BlockFinished' }> = { type: 'BlockFinished', block: back };
  const state = s.at(
    ...rollback,
    { ...s.gateOpened(), gate: 2 },
    { ...s.approved(), gate: 2 },
    { ...s.spent, gate: 2 },
    { type: 'BlockStarted', block: back, from: null },
    { type: 'StepStarted', block: back, step: 'undo', attempt: 1, target: 'production' },
    { ...s.finished('x', 'undo'), block: back },
    finished,
  );
  const head = { position: 1, hash: 'ab'.repeat(32) };
  for (const rendered of [renderBlockFinished(state, finished, head), renderCard(state)]) {
    expect(rendered.text).toContain('The rollback is done; the run closes by itself.');
    expect(rendered.text + words(rendered)).not.toMatch(/Next:|\/m10 next|Waiting for the next command/);
  }
});

describe('an approval that became void', () => {
  const open = [...s.preflight(), s.requested(), s.gateOpened(undefined, 2), s.approved()];
  const ends: RunEvent[] = [
    { type: 'GateVoided', gate: 1, diff: ['revision: 021 when approved, 022 now'] },
    { type: 'GateExpired', gate: 1 },
    { type: 'GateCancelled', gate: 1, by: s.alice, why: 'a rollback was asked for' },
    { type: 'GateRefused', gate: 1, by: s.carol, via: 'reaction' },
  ];
  test.each(ends)('is told to whoever gave it: $type', (event) => {
    expect(gateClosedLine(gateOf(s.at(...open, event)), 'staging', 'a rollback was asked for')).toContain(
      `<@${s.bob}>, your approval is void.`,
    );
    // Nobody is called where nobody approved.
    const none = open.filter(({ type }) => type !== 'ApprovalGiven');
    expect(gateClosedLine(gateOf(s.at(...none, event)), 'staging') ?? '').not.toContain('void.');
  });
  test('by a request that is posted again, too', () => {
    expect(gateRepostedLine({ type: 'GateReposted', gate: 1, lost: '1.2' }, [s.bob])).toContain(
      `<@${s.bob}>, your approval is void`,
    );
  });
});

describe('the audit trail', () => {
  const state = s.at(...running);
  const proof = { head: { position: 9, hash: 'cd'.repeat(32) }, chain: 'The chain holds.' };
  const step = (id: string, is: 'started' | 'passed', n: number): AuditEntry => ({
    at: s.t0 + n * 1_000,
    by: null,
    words: `step ${id} ${is}, whatever it said at length`,
    step: { id, key: `phase:x/${id}/1`, is },
  });
  const said = (text: string, n: number): AuditEntry => ({ at: s.t0 + n * 1_000, by: s.alice, words: text });
  const smooth = [
    said('opened the run', 0),
    ...Array.from({ length: 53 }, (_, n) => [
      step(`check-${n}`, 'started', n),
      step(`check-${n}`, 'passed', n),
      ...(n === 30 ? [said('approved request 1', n)] : []),
    ]).flat(),
    step('last', 'started', 60),
    said('closed the run', 61),
  ];

  test('of a smooth run is shown from its first entry to its last', () => {
    const told = words(renderAudit(state, smooth, proof, true));
    for (const text of [
      'opened the run',
      'approved request 1',
      'closed the run',
      'step last started',
      '31 steps passed',
      '22 steps passed',
      '`check-0`',
      '`check-52`',
    ]) {
      expect(told).toContain(text);
    }
    expect(told).toContain(`${smooth.length} entries. Every entry by itself is in the file`);
    expect(told).not.toContain('check-7 started');
  });
  test('has every entry in its file, and none where the message has them all', () => {
    const file = auditFile(state, smooth, proof);
    for (const { words: entry } of smooth) expect(file?.content).toContain(entry);
    expect(file?.content).toContain('cd'.repeat(32));
    expect(auditFile(state, [said('opened the run', 0), step('a', 'started', 1)], proof)).toBeNull();
    expect(auditFile(state, [said('x'.repeat(500), 0)], proof)?.content).toContain('x'.repeat(500));
  });
  test('that does not fit keeps both of its ends', () => {
    const many = Array.from({ length: 400 }, (_, n) => said(`entry number ${n} of many`, n));
    const rendered = renderAudit(state, many, proof, true);
    expect(words(rendered)).toMatch(
      /entry number 0 of.*\d+ lines in between stand in the file only.*entry number 399 of/s,
    );
    expect(rendered.blocks.reduce((sum, b) => sum + lengthOf(b), 0)).toBeLessThan(LIMITS.characters);
    expect(auditFile(state, many, proof)?.content).toContain('entry number 200 of many');
  });
});

describe('what an approver cannot see in the message', () => {
  const planOf = (change: Partial<Plan>): Plan => ({ ...s.samplePlan(), ...change });
  const step = (n: number, length: number): Plan['steps'][number] => ({
    id: `step-${n}`,
    title: `The step number ${n}`,
    target: 'staging',
    uses: 'command.change',
    changes: true,
    words: `Do the thing ${n}. ${'w'.repeat(length)}`,
    commands: [`thing --number ${n}`],
  });
  const whole = (plan: Plan) => planFiles(plan, 'p').find((f) => f.filename === 'p-whole.txt')?.content;

  test.each([
    ['steps', planOf({ steps: Array.from({ length: 15 }, (_, n) => step(n, 250)) }), 'Do the thing 14.'],
    ['one long step', planOf({ steps: [step(1, 700)] }), 'w'.repeat(700)],
    [
      'warnings',
      planOf({ warnings: Array.from({ length: 40 }, (_, n) => `warning ${n} ${'x'.repeat(80)}`) }),
      'warning 39',
    ],
    [
      'a headline',
      planOf({ headline: Array.from({ length: 40 }, (_, n) => `unseen ${n} ${'x'.repeat(80)}`) }),
      'unseen 39',
    ],
    ['commands', planOf({ steps: [{ ...step(1, 1), commands: ['y'.repeat(3_500)] }] }), 'y'.repeat(3_500)],
    [
      'all of it together, though each fits',
      planOf({
        steps: Array.from({ length: 9 }, (_, n) => step(n, 200)),
        warnings: Array.from({ length: 20 }, (_, n) => `warning ${n} ${'x'.repeat(90)}`),
        headline: Array.from({ length: 20 }, (_, n) => `unseen ${n} ${'x'.repeat(80)}`),
        sql: s.samplePlan().sql.map((sql) => ({
          ...sql,
          findings: Array.from({ length: 20 }, (_, n) => ({
            rank: 'advice' as const,
            rule: `rule-${n}`,
            message: 'm'.repeat(60),
            line: 1,
            statement: '',
          })),
        })),
      }),
      'unseen 19',
    ],
  ])('is in a file: %s', (_, plan, text) => {
    expect(whole(plan)).toContain(text);
    for (const each of plan.steps) expect(whole(plan)).toContain(each.commands[0]);
  });
  test('and there is no such file where nothing is cut', () => {
    expect(whole(s.samplePlan())).toBeUndefined();
  });
  test('a request to skip has the commands of the changing steps behind it, and not of what it leaves out', () => {
    const plan = planOf({ steps: [step(1, 1), step(2, 1), { ...step(3, 1), changes: false }] });
    const state = s.at(
      ...running,
      failed,
      s.assessed(),
      {
        type: 'ApprovalRequested',
        gate: 2,
        cover: { kind: 'skip', block: { kind: 'phase', id: 'staging' }, step: 'step-1', reason: 'known' },
        by: s.alice,
        via: 'command',
      },
      { ...s.gateOpened(plan), gate: 2 },
    );
    const told = words(renderGate(state, gateById(state, 2) ?? expect.unreachable()));
    expect(told).toContain('thing --number 2');
    expect(told).not.toMatch(/thing --number [13]/);
  });
});
