import { expect, test } from 'vitest';
import type { Command } from '../../src/runbook/command.js';
import { decodeRunEvent, encodeEvent, type RunEvent } from '../../src/runbook/events.js';
import type { Executed, ExecutedElsewhere } from '../../src/runbook/executed.js';
import { executedElsewhere } from '../../src/runbook/state.js';
import type { Outcome } from '../../src/runbook/step-kind.js';
import { createGates } from '../../src/runner/gates.js';
import { createSteps } from '../../src/runner/steps.js';
import {
  alice,
  bob,
  carol,
  eligible,
  finishStep,
  given,
  opened,
  ran,
  ref,
  requestNext,
  stagingStarted,
  startStep,
  t0,
} from '../runbook/spec.js';
import { digest, kindsWith, password, plannerOf, redact, targetsOf } from './sample.js';

const executed: Executed = {
  statements: [{ text: 'DELETE FROM orders WHERE id < 7', effect: 'changes', outside: false }],
  count: 1,
  sha256: 'e1',
};
const note = '1 statement ran that is not in the approved SQL';
const applied: Command[] = [
  startStep('staging', 'apply'),
  { ...finishStep('staging', 'apply'), executed, notes: [note] } as Command,
];

async function outcomeOf(outcome: Outcome) {
  const targets = targetsOf();
  const steps = createSteps({
    config: { targets },
    planner: plannerOf(targets, kindsWith({ run: async () => outcome })),
    digest,
    redact,
    keepOutput: async () => 'kept.txt',
    endAttempt: async () => {},
    now: () => t0,
    log: { info() {}, warn() {}, error() {} },
  });
  const { state } = given(stagingStarted, startStep('staging', 'apply'));
  const at = { block: ref('staging'), step: 'apply', attempt: 1 };
  return steps.run(opened(state), at, new AbortController().signal);
}

test('what a step executed and its warnings are kept in the journal, redacted before they are cut', async () => {
  const secretAtTheCut = `${'x'.repeat(7_995)}${password}${'y'.repeat(100)}`;
  const finished = await outcomeOf({
    result: 'passed',
    summary: 'done',
    executed: {
      statements: [...executed.statements, { text: secretAtTheCut, effect: 'unknown', outside: true }],
      count: 900,
      sha256: 'e2',
    },
    notes: [`the session belongs to ${password}`],
  });
  expect(JSON.stringify(finished)).not.toContain(password.slice(0, 5));
  expect(finished.executed).toMatchObject({ count: 900, sha256: 'e2' });
  expect(finished.executed?.statements[1]?.text).toMatch(/characters left out here$/);
  const decided = given(stagingStarted, startStep('staging', 'apply')).when(finished);
  decided.then('StepFinished').with({ notes: [expect.stringContaining('the session belongs')] });
});

test('a later request for another target gets what this one executed, and its own target nothing', async () => {
  const state = opened(given(stagingStarted, applied, ran('staging', 'verify'), requestNext()).state);
  const found = executedElsewhere(state, 'production');
  expect(found).toMatchObject([{ target: 'staging', step: 'apply', uses: 'change', executed }]);
  expect(executedElsewhere(state, 'staging')).toEqual([]);

  const seen: (readonly ExecutedElsewhere[] | undefined)[] = [];
  const planner = plannerOf(
    targetsOf(),
    kindsWith({
      survey: async (_, context) => {
        seen.push(context.elsewhere);
        return { kind: 'surveyed', parts: {}, sql: [], warnings: [], headline: ['rows decide what it does'] };
      },
    }),
  );
  const gates = createGates({
    config: { targets: targetsOf(), operators: [alice] },
    planner,
    loss: { count: async () => [] },
    people: {
      verdict: async () => eligible,
      roster: async () => ({ eligible: [bob, carol], ineligible: [], problems: [] }),
      signs: async () => null,
    },
  });
  const gate = state.gates.at(-1);
  if (gate === undefined) throw new Error('nothing was asked');
  const ready = await gates.prepare(state, gate);
  expect(seen).toEqual([found, found]);
  expect(ready).toMatchObject({
    type: 'OpenGate',
    plan: { headline: ['backup: rows decide what it does', 'p-apply: rows decide what it does'] },
  });
});

test('a step that failed has executed nothing that counts for others', () => {
  const failed = { ...finishStep('staging', 'apply', 'failed'), executed } as Command;
  const { state } = given(stagingStarted, startStep('staging', 'apply'), failed);
  expect(executedElsewhere(opened(state), 'production')).toEqual([]);
});

test('ends of steps and requests of older journals are read', () => {
  const { state, decision } = given(stagingStarted, startStep('staging', 'apply')).when(
    finishStep('staging', 'apply'),
  );
  const [end] = decision.kind === 'accepted' ? decision.events : [];
  expect(end).not.toHaveProperty('executed');
  expect(end).not.toHaveProperty('notes');
  expect(opened(state).notes).toEqual([]);
  const read = (event: RunEvent) => decodeRunEvent(event.type, encodeEvent(event).data);
  if (end !== undefined) expect(read(end)).toEqual(end);
});
