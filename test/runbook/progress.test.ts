import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/runbook/command.js';
import {
  alice,
  approve,
  bob,
  broke,
  carol,
  close,
  expiresMs,
  finishStep,
  given,
  open,
  opened,
  openGate,
  preflight,
  ran,
  ref,
  requestNext,
  resume,
  retry,
  rollback,
  runbook,
  skip,
  spend,
  stagingDone,
  stagingStarted,
  startStep,
  stop,
  t0,
} from './spec.js';

const both = { reactions: { kind: 'read' as const, by: { approve: [bob, carol], refuse: [], stop: [] } } };
const productionStarted = [
  ...stagingDone,
  requestNext(),
  openGate(2, 2),
  approve(2),
  approve(2, carol),
  spend(2, both),
];

describe('opening', () => {
  test('a run is opened once, by an operator, on free targets', () => {
    given().when(open).then('RunOpened');
    given(open).when(open).refused('run_open');
    given()
      .when({ ...open, operator: false } as Command)
      .refused('not_an_operator');
    given()
      .when({ ...open, busy: [{ target: 'staging', run: 3 }] } as Command)
      .refused('target_busy');
  });
  test('no run, no command', () => {
    given().when(requestNext()).refused('no_run');
  });
  test('ungated checks start by themselves and go on after a failure', () => {
    expect(given(open).next()).toEqual({ kind: 'start_block', block: ref('preflight') });
    const broken = [
      open,
      { type: 'StartBlock', block: ref('preflight') } as const,
      ...broke('preflight', 'look'),
    ];
    expect(given(broken).next()).toMatchObject({ kind: 'run_step', step: 'look-2' });
    expect(given(broken, ran('preflight', 'look-2')).next()).toMatchObject({ kind: 'assess', step: 'look' });
    given(broken, ran('preflight', 'look-2')).when(requestNext()).refused('step_failed');
  });
  test('a gated phase is never started without its approval', () => {
    given(preflight)
      .when({ type: 'StartBlock', block: ref('staging') })
      .refused('stale');
    given(preflight).when(startStep('staging', 'apply')).refused('stale');
  });
});

describe('an operation alone', () => {
  const backup = { ...open, purpose: { kind: 'operation', id: 'backup' } } as const;
  test('is gated like a phase and closes when done', () => {
    given().when(backup).then('RunOpened', 'ApprovalRequested');
    const done = [backup, openGate(1), approve(1), spend(1), ...ran('operation:backup', 'dump')];
    expect(given(done).next()).toEqual({ kind: 'finish_run', outcome: 'operation-done' });
  });
  test('that comes to nothing closes by itself', () => {
    const refused = [
      backup,
      openGate(1),
      { type: 'GateRefused', gate: 1, by: bob, via: 'reaction' } as const,
    ];
    expect(given(...refused).next()).toEqual({ kind: 'finish_run', outcome: 'closed' });
    expect(given(backup, stop()).next()).toEqual({ kind: 'finish_run', outcome: 'closed' });
  });
  test('of checks needs no approval', () => {
    const look = { ...open, purpose: { kind: 'operation', id: 'look' } } as const;
    expect(given(look).next()).toEqual({ kind: 'start_block', block: ref('operation:look') });
  });
  test('that the runbook does not have is refused', () => {
    given()
      .when({ ...open, purpose: { kind: 'operation', id: 'nothing' } } as Command)
      .refused('unknown_operation');
  });
  test('runs between phases, and inside a failed one, which goes on where it was', () => {
    const ask: Command = {
      type: 'RequestOperation',
      by: alice,
      operator: true,
      operation: 'backup',
      via: 'command',
    };
    given(preflight).when(ask).then('ApprovalRequested');
    const failed = [...stagingStarted, ...broke('staging', 'apply')];
    const after = given(failed, ask, openGate(2), approve(2), spend(2), ran('operation:backup', 'dump'));
    expect(opened(after.state).current).toEqual(ref('staging'));
    expect(after.next()).toMatchObject({ kind: 'assess', step: 'apply' });
    given(stagingStarted).when(ask).refused('step_running');
  });
  test('that takes the place of a failed one leads back to the phase that waits', () => {
    const ask = (operation: string): Command => ({
      type: 'RequestOperation',
      by: alice,
      operator: true,
      operation,
      via: 'command',
    });
    const unsure = [
      ...stagingStarted,
      startStep('staging', 'apply'),
      finishStep('staging', 'apply', 'unknown'),
    ];
    const backupBroke = [
      ask('backup'),
      openGate(2),
      approve(2),
      spend(2),
      ...broke('operation:backup', 'dump'),
    ];
    const after = given(unsure, backupBroke, ask('look'), ran('operation:look', 'peek'));
    expect(opened(after.state).current).toEqual(ref('staging'));
    expect(after.next()).toMatchObject({ kind: 'assess', step: 'apply' });
    after.when(requestNext()).refused('step_failed');
  });
  test('that changes something is never started without a request, whatever its gate says', () => {
    const ungated = {
      ...runbook,
      operations: runbook.operations.map((o) => (o.id === 'backup' ? { ...o, gate: 'none' as const } : o)),
    };
    const ask: Command = {
      type: 'RequestOperation',
      by: alice,
      operator: true,
      operation: 'backup',
      via: 'command',
    };
    given([{ ...open, runbook: ungated } as Command, ...preflight.slice(1)])
      .when(ask)
      .then('ApprovalRequested');
  });
  test('a rollback of an earlier run is a run of its own', () => {
    const undo = { ...open, purpose: { kind: 'rollback' } } as const;
    const done = [undo, openGate(1), approve(1), spend(1), ...ran('rollback', 'undo')];
    expect(given(done).next()).toEqual({ kind: 'finish_run', outcome: 'rolled-back' });
  });
});

describe('steps', () => {
  test('run in order, one at a time', () => {
    expect(given(stagingStarted).next()).toMatchObject({
      kind: 'run_step',
      step: 'apply',
      attempt: 1,
      target: 'staging',
    });
    given(stagingStarted).when(startStep('staging', 'verify')).refused('stale');
    given(stagingStarted, startStep('staging', 'apply')).when(startStep('staging', 'apply')).refused('stale');
    expect(given(stagingStarted, startStep('staging', 'apply')).next()).toMatchObject({ kind: 'running' });
  });
  test('an end counts for the attempt that is running, and once', () => {
    given(stagingStarted, startStep('staging', 'apply'))
      .when(finishStep('staging', 'apply', 'passed', 2))
      .refused('stale');
    given(stagingStarted, ran('staging', 'apply')).when(finishStep('staging', 'apply')).refused('stale');
  });
  test('the last step ends the phase, the last phase ends the run', () => {
    given(stagingStarted, ran('staging', 'apply'), startStep('staging', 'verify'))
      .when(finishStep('staging', 'verify'))
      .then('StepFinished', 'BlockFinished');
    const all = [
      ...productionStarted,
      ...ran('production', 'backup'),
      ...ran('production', 'precheck'),
      ...ran('production', 'p-apply'),
    ];
    expect(given(all).next()).toEqual({ kind: 'finish_run', outcome: 'verified' });
    given(all).when({ type: 'FinishRun', targets: [] }).then('RunClosed').with({ outcome: 'verified' });
    given(stagingDone).when({ type: 'FinishRun', targets: [] }).refused('stale');
  });
  test('an unknown result asks people and is never taken for a pass', () => {
    const unknown = [
      ...stagingStarted,
      startStep('staging', 'apply'),
      finishStep('staging', 'apply', 'unknown'),
    ];
    expect(given(unknown).next()).toMatchObject({ kind: 'assess' });
    given(unknown).when(requestNext()).refused('step_failed');
  });
});

describe('after a failure', () => {
  const failed = [...stagingStarted, ...broke('staging', 'apply')];
  const assessed: Command = {
    type: 'Assess',
    block: ref('staging'),
    step: 'apply',
    attempt: 1,
    targets: [],
    loss: [],
    notes: [],
  };
  test('the failure is assessed once, then people are asked', () => {
    given(failed).when(assessed).then('FailureAssessed');
    expect(given(failed, assessed).next()).toEqual({
      kind: 'ask_human',
      block: ref('staging'),
      step: 'apply',
    });
    given(failed, assessed).when(assessed).refused('stale');
  });
  test('retrying a change asks for approval again, from that step', () => {
    given(failed)
      .when(retry)
      .then('ApprovalRequested')
      .with({ cover: { kind: 'block', block: ref('staging'), from: 'apply', reason: 'retry' } });
    const again = given(failed, retry, openGate(2), approve(2), spend(2));
    expect(again.next()).toMatchObject({ kind: 'run_step', step: 'apply', attempt: 2 });
  });
  test('retrying a check before a change asks too, since the change follows', () => {
    const broken = [...productionStarted, ...ran('production', 'backup'), ...broke('production', 'precheck')];
    given(broken)
      .when(retry)
      .then('ApprovalRequested')
      .with({ cover: { from: 'precheck' } } as never);
  });
  test('retrying a check after the last change needs nobody', () => {
    const broken = [...stagingStarted, ...ran('staging', 'apply'), ...broke('staging', 'verify')];
    given(broken).when(retry).then('StepRetried');
    expect(given(broken, retry).next()).toMatchObject({ kind: 'run_step', step: 'verify', attempt: 2 });
  });
  test('retrying checks without a gate runs every failed one again', () => {
    const broken = [
      open,
      { type: 'StartBlock', block: ref('preflight') } as const,
      ...broke('preflight', 'look'),
      ...broke('preflight', 'look-2'),
    ];
    given(broken).when(retry).then('StepRetried', 'StepRetried');
  });
  test('retrying takes a stopped run up again, and asks where a change follows', () => {
    const broken = [...stagingStarted, ...ran('staging', 'apply'), ...broke('staging', 'verify'), stop()];
    given(broken).when(retry).then('RunResumed', 'StepRetried');
    expect(given(broken, retry).next()).toMatchObject({ kind: 'run_step', step: 'verify' });
    const asked = [...failed, assessed, stop(), retry, openGate(2)];
    expect(given(...asked, { type: 'GateExpired', gate: 2 } as const).next()).toMatchObject({
      kind: 'stopped',
    });
    expect(given(asked, approve(2), spend(2)).next()).toMatchObject({ kind: 'run_step', step: 'apply' });
  });
  test('nothing failed, nothing to retry', () => {
    given(stagingDone).when(retry).refused('nothing_failed');
  });
  test('a skip needs a reason and a second person, and the phase goes on', () => {
    given(failed).when(skip('apply', ' ')).refused('bad_arguments');
    given(failed).when(skip('nothing')).refused('unknown_step');
    const approvedSkip = [...failed, skip('apply'), openGate(2), approve(2)];
    given(approvedSkip).when(spend(2)).then('GateSpent', 'StepSkipped');
    expect(given(approvedSkip, spend(2)).next()).toMatchObject({ kind: 'run_step', step: 'verify' });
    given(approvedSkip, spend(2)).when(skip('apply')).refused('step_not_skippable');
  });
  test('a skip answers the question that the failure put', () => {
    const assessed = [
      ...failed,
      {
        type: 'Assess',
        ...{ block: ref('staging'), step: 'apply', attempt: 1 },
        ...{ targets: [], loss: [], notes: [] },
      } as const,
    ];
    expect(given(assessed).state).toMatchObject({ assessment: { step: 'apply' } });
    const skipped = [...assessed, skip('apply'), openGate(2), approve(2), spend(2)];
    expect(given(skipped).state).toMatchObject({ assessment: null });
    const another = [...assessed, skip('verify'), openGate(2), approve(2), spend(2)];
    expect(given(another).state).toMatchObject({ assessment: { step: 'apply' } });
  });
  test('skipping the last step ends the phase', () => {
    const broken = [...stagingStarted, ...ran('staging', 'apply'), ...broke('staging', 'verify')];
    given(broken, skip('verify'), openGate(2), approve(2))
      .when(spend(2))
      .then('GateSpent', 'StepSkipped', 'BlockFinished');
  });
  test('a rollback is approved like any change and outranks another request', () => {
    given(failed).when(rollback).then('ApprovalRequested');
    given(failed, retry, openGate(2)).when(rollback).then('GateCancelled', 'ApprovalRequested');
    given(failed, rollback, openGate(2)).when(rollback).refused('gate_open');
    const done = given(failed, rollback, openGate(2), approve(2), spend(2), ran('rollback', 'undo'));
    expect(done.next()).toEqual({ kind: 'finish_run', outcome: 'rolled-back' });
  });
  test('a rollback that fails is retried, not rolled back', () => {
    const broken = [...failed, rollback, openGate(2), approve(2), spend(2), ...broke('rollback', 'undo')];
    given(broken).when(rollback).refused('step_failed');
    given(broken).when(retry).then('ApprovalRequested');
  });
  test('a run that changed nothing has nothing to roll back', () => {
    given(preflight).when(rollback).refused('nothing_to_roll_back');
  });
  test('closing needs an operator and a reason, and ends the request', () => {
    given(failed).when(close('')).refused('bad_arguments');
    given(failed)
      .when({ ...close(), operator: false } as Command)
      .refused('not_an_operator');
    given(failed, retry, openGate(2)).when(close()).then('GateCancelled', 'RunClosed');
    given(failed, close()).when(requestNext()).refused('run_closed');
    expect(given(failed, close()).next()).toEqual({ kind: 'idle' });
  });
});

describe('stopping', () => {
  test('anyone stops; the running step finishes and nothing follows', () => {
    const running = [...stagingStarted, startStep('staging', 'apply')];
    given(running).when(stop('UGINA')).then('StopRequested');
    const after = given(running, stop(), finishStep('staging', 'apply'));
    expect(after.next()).toEqual({ kind: 'stopped' });
  });
  test('a step that was ended is assessed, and then the run stays stopped', () => {
    const ended = given(
      stagingStarted,
      startStep('staging', 'apply'),
      stop(bob, true),
      finishStep('staging', 'apply', 'failed'),
    );
    expect(ended.next()).toMatchObject({ kind: 'assess', step: 'apply' });
    const assessed: Command = {
      type: 'Assess',
      block: ref('staging'),
      step: 'apply',
      attempt: 1,
      targets: [],
      loss: [],
      notes: [],
    };
    expect(ended.when(assessed).then('FailureAssessed').next()).toEqual({ kind: 'stopped' });
  });
  test('stop now is heard after a plain stop, while a step runs', () => {
    const running = [...stagingStarted, startStep('staging', 'apply'), stop()];
    given(running).when(stop()).refused('already_stopped');
    given(running).when(stop(bob, true)).then('StopRequested');
    expect(opened(given(running, stop(bob, true)).state).stopped?.now).toBe(true);
  });
  test('a stopped run goes on only by resume', () => {
    const stopped = [...stagingDone, stop()];
    given(stopped).when(requestNext()).refused('run_stopped');
    given(stopped).when(resume).then('RunResumed');
    given(stagingDone).when(resume).refused('not_stopped');
    given(stopped)
      .when({ ...resume, operator: false } as Command)
      .refused('not_an_operator');
  });
  test('resuming into a change asks for approval, and stays stopped until it is given', () => {
    const stopped = [...stagingStarted, stop()];
    given(stopped).when(resume).then('ApprovalRequested');
    const asked = [...stopped, resume, openGate(2)];
    expect(given(...asked, { type: 'GateExpired', gate: 2 } as const).next()).toEqual({ kind: 'stopped' });
    expect(given(asked, approve(2), spend(2)).next()).toMatchObject({ kind: 'run_step', step: 'apply' });
    given(asked).when(stop()).then('GateCancelled', 'StopRequested');
  });
  test('resuming into checks needs nobody', () => {
    const stopped = [
      ...stagingStarted,
      startStep('staging', 'apply'),
      stop(),
      finishStep('staging', 'apply'),
    ];
    given(stopped).when(resume).then('RunResumed');
    expect(given(stopped, resume).next()).toMatchObject({ kind: 'run_step', step: 'verify' });
  });
});

describe('after a crash', () => {
  const running = [...stagingStarted, startStep('staging', 'apply')];
  const redo: Command = { type: 'RedoStep', block: ref('staging'), step: 'apply', attempt: 1 };
  test('a change that did not happen runs again under the approval that started it', () => {
    given(running).when(redo).then('StepRetried');
    expect(given(running, redo).next()).toMatchObject({ kind: 'run_step', step: 'apply', attempt: 2 });
  });
  test('but not once that approval would have expired', () => {
    given(running)
      .when(redo, t0 + expiresMs)
      .then('StepFinished')
      .with({ result: 'failed' });
  });
  test('a step that is not running is not done again', () => {
    given(stagingStarted, ran('staging', 'apply')).when(redo).refused('stale');
  });
});

test('the runbook of the specification is the one that is opened', () => {
  expect(opened(given(open).state).runbook).toEqual(runbook);
});
