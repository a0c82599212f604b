import { expect, test } from 'vitest';
import { standing } from '../../src/bot/render/card.js';
import type { Command } from '../../src/runbook/command.js';
import { Runbook } from '../../src/runbook/definition.js';
import { leftOut, leftOutPart } from '../../src/runbook/left-out.js';
import * as s from './spec.js';

const step = (id: string, uses: string) => ({ id, title: `Step ${id}`, uses });
const runbook = Runbook.parse({
  ...s.runbook,
  phases: [
    {
      id: 'p',
      title: 'Check and change',
      on: 'staging',
      gate: { approvals: 1 },
      steps: [
        step('before', 'check'),
        step('first', 'change'),
        step('one', 'check'),
        step('two', 'check'),
        step('second', 'change'),
        step('after', 'check'),
      ],
    },
  ],
});
const started: Command[] = [
  { ...s.open, runbook } as Command,
  s.requestNext(),
  s.openGate(1),
  s.approve(1),
  s.spend(1),
];
const changed = [...started, ...s.ran('p', 'before'), ...s.ran('p', 'first')];

test('before the first change the first failure stops', () => {
  expect(s.given(started, s.broke('p', 'before')).next()).toMatchObject({ kind: 'assess', step: 'before' });
});

test('after a change all checks run, no change does, and one retry runs all that failed', () => {
  expect(s.given(changed, s.broke('p', 'one')).next()).toMatchObject({ kind: 'run_step', step: 'two' });
  const both = s.given(changed, s.broke('p', 'one'), s.broke('p', 'two'));
  expect(both.next()).toMatchObject({ kind: 'assess', step: 'one' });
  both.when(s.startStep('p', 'second')).refused('stale');
  const at = { block: s.ref('p'), step: 'one', attempt: 1 };
  both
    .when({ type: 'Assess', ...at, targets: [], loss: [], notes: [] })
    .then('FailureAssessed')
    .with({ others: [{ step: 'two', attempt: 1 }] });
});

test('a skip stays known until its step was run again, and is part of what is approved', () => {
  const skipped = s.given(
    changed,
    s.broke('p', 'one'),
    s.ran('p', 'two'),
    s.skip('one'),
    s.openGate(2),
    s.approve(2),
    s.spend(2),
  );
  const skips = leftOut(s.opened(skipped.state));
  expect(skips).toMatchObject([
    { step: 'one', by: s.alice, approvers: [s.bob], reason: 'known', changes: false },
  ]);
  expect(leftOutPart(skips)).toEqual({ 'left out': 'phase:p/one (known)' });
  const end = s.play(
    [s.ran('p', 'second'), s.ran('p', 'after'), { type: 'FinishRun', targets: [] }],
    skipped.state,
  );
  expect(standing(s.opened(end)).word).toBe('Verified except for 1 check');
});
