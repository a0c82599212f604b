import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/runbook/command.js';
import { decodeRunEvent, encodeEvent, type RunEvent } from '../../src/runbook/events.js';
import { evolve } from '../../src/runbook/evolve.js';
import type { Executed, ExecutedElsewhere } from '../../src/runbook/executed.js';
import { executedElsewhere } from '../../src/runbook/state.js';
import type { Outcome } from '../../src/runbook/step-kind.js';
import { createElsewhere } from '../../src/runner/elsewhere.js';
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
import { digest, elsewhere, kindsWith, password, plannerOf, redact, targetsOf } from './sample.js';

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

async function outcomeOf(outcome: Outcome, kept: Map<string, string> = new Map()) {
  const targets = targetsOf();
  const steps = createSteps({
    directory: 'directory-1',
    config: { targets },
    planner: plannerOf(targets, kindsWith({ run: async () => outcome })),
    digest,
    elsewhere,
    redact,
    keepOutput: async (childId, text) => {
      kept.set(`${childId}.txt`, text);
      return `${childId}.txt`;
    },
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

describe('a list that is too long for the journal', () => {
  const statements = Array.from({ length: 1_734 }, (_, id) => ({
    text: `DELETE FROM orders WHERE id = ${id} AND key <> '${password}'`,
    effect: 'changes' as const,
    outside: false,
    fingerprint: `f${id}`,
  }));
  const long: Executed = {
    statements,
    count: statements.length,
    sha256: digest(statements.map((s) => s.fingerprint).join('\n')),
  };
  const stateWith = async (kept: Map<string, string>) => {
    const finished = await outcomeOf({ result: 'passed', summary: 'done', executed: long }, kept);
    return { finished, state: opened(given(stagingStarted, startStep('staging', 'apply'), finished).state) };
  };
  const read = (state: Parameters<typeof executedElsewhere>[0], kept: ReadonlyMap<string, string>) =>
    createElsewhere({ readKept: async (path) => kept.get(path) ?? null, digest })(state, 'production');

  test('is kept whole beside it, and read again for a later target', async () => {
    const kept = new Map<string, string>();
    const { finished, state } = await stateWith(kept);
    expect(finished.executed).toMatchObject({ count: 1_734, file: expect.any(String) });
    expect(finished.executed?.statements).toHaveLength(500);
    expect(JSON.stringify([...kept])).not.toContain(password);
    const [found] = await read(state, kept);
    expect(found?.executed?.statements).toHaveLength(1_734);
    expect(found?.executed?.statements.at(-1)?.text).toMatch(/^DELETE FROM orders WHERE id = 1733 /);
  });

  test('stays cut, and shows it, where the file is gone or is another one', async () => {
    const kept = new Map<string, string>();
    const { finished, state } = await stateWith(kept);
    const file = finished.executed?.file ?? '';
    const others = JSON.parse(kept.get(file) ?? '').reverse();
    for (const text of [undefined, 'cut in the mid', '[]', JSON.stringify(others)]) {
      const [found] = await read(state, new Map(text === undefined ? [] : [[file, text]]));
      expect(found?.executed?.statements).toHaveLength(500);
      expect(found?.executed?.count).toBe(1_734);
    }
  });
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
    changing: ['change'],
    planner,
    elsewhere,
    loss: { count: async () => [] },
    people: {
      verdict: async () => eligible,
      roster: async () => ({ eligible: [bob, carol], ineligible: [], problems: [], notAsked: [] }),
      signs: async () => ({ kind: 'not_asked', why: 'offline', retryAfterMs: 0 }),
    },
    now: () => t0,
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

test('a step that passed without a record is known to have run', () => {
  const unrecorded = given(stagingStarted, startStep('staging', 'apply'), finishStep('staging', 'apply'));
  expect(executedElsewhere(opened(unrecorded.state), 'production')).toMatchObject([
    { step: 'apply', executed: null },
  ]);
});

test('a step that failed has executed nothing that counts for others', () => {
  const failed = { ...finishStep('staging', 'apply', 'failed'), executed } as Command;
  const { state } = given(stagingStarted, startStep('staging', 'apply'), failed);
  expect(executedElsewhere(opened(state), 'production')).toEqual([]);
});

test('a step that was tried and then skipped may have left what it executed', () => {
  const tried = { ...finishStep('staging', 'apply', 'failed'), executed } as Command;
  const { state } = given(stagingStarted, startStep('staging', 'apply'), tried);
  const skipped: RunEvent = {
    type: 'StepSkipped',
    block: ref('staging'),
    step: 'apply',
    attempt: 1,
    gate: 2,
    reason: 'done by hand',
  };
  const after = evolve(state, skipped, { at: t0 });
  expect(executedElsewhere(opened(after), 'production')).toMatchObject([{ step: 'apply', executed }]);
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
