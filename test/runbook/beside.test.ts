import { describe, expect, it } from 'vitest';
import {
  besideHold,
  isBesideHold,
  standsBeside,
  targetOfHold,
  workedTargets,
} from '../../src/runbook/beside.js';
import type { Command } from '../../src/runbook/command.js';
import { describeBlock } from '../../src/runbook/decide/words.js';
import { Runbook } from '../../src/runbook/definition.js';
import { heldTargets } from '../../src/store/runs.js';
import {
  alice,
  approve,
  bob,
  broke,
  close,
  finishStep,
  given,
  open,
  opened,
  openGate,
  otherFingerprint,
  ran,
  react,
  ref,
  resume,
  retry,
  rollback,
  runbook,
  skip,
  spend,
  startStep,
  stop,
} from './spec.js';

const purpose = { kind: 'operation', id: 'release' } as const;
const beside = Runbook.parse({
  ...runbook,
  operations: [
    {
      id: 'release',
      title: 'Release the lock m10:reclaim_gc',
      on: 'production',
      beside: true,
      gate: { approvals: 1 },
      steps: [{ id: 'release', title: 'Release it', uses: 'change' }],
    },
  ],
});
const openBeside: Command = { ...openRun(), busy: [] };
function openRun(): Extract<Command, { type: 'OpenRun' }> {
  if (open.type !== 'OpenRun') throw new Error('not the opening of a run');
  return { ...open, run: 8, runbook: beside, purpose };
}
const started: Command[] = [openBeside, openGate(1), approve(1), spend(1)];
const release = 'operation:release';
const failed: Command[] = [...started, ...broke(release, 'release')];
const assessed: Command[] = [
  ...failed,
  { type: 'Assess', block: ref(release), step: 'release', attempt: 1, targets: [], loss: [], notes: [] },
];

describe('an operation beside the migration', () => {
  it('holds its target under another name, and works on the target itself', () => {
    const intent = { runbook: beside, purpose };
    expect(standsBeside(intent)).toBe(true);
    expect(heldTargets(intent)).toEqual(['production:m10']);
    expect(workedTargets(intent)).toEqual(['production']);
    expect(isBesideHold(besideHold('production'))).toBe(true);
    expect(targetOfHold('production:m10')).toBe('production');
    expect(targetOfHold('production')).toBe('production');
  });

  it('is no other operation, and nothing else', () => {
    expect(standsBeside({ runbook, purpose: { kind: 'operation', id: 'backup' } })).toBe(false);
    expect(heldTargets({ runbook, purpose: { kind: 'operation', id: 'backup' } })).toEqual(['production']);
    expect(heldTargets({ runbook: beside, purpose: { kind: 'runbook' } })).toEqual(['staging', 'production']);
    expect(Runbook.safeParse({ ...runbook, phases: [{ ...runbook.phases[0], beside: true }] }).success).toBe(
      false,
    );
  });

  it('is asked for with its opening, by its title alone', () => {
    given()
      .when(openBeside)
      .then('RunOpened', 'ApprovalRequested')
      .with({}, { gate: 1, by: alice, cover: { kind: 'block', block: purpose, from: null, reason: '' } });
    expect(describeBlock(beside, purpose)).toBe('Release the lock m10:reclaim_gc');
  });

  it('is opened by operators alone, and one at a time', () => {
    given()
      .when({ ...openRun(), operator: false })
      .refused('not_an_operator');
    const { decision } = given()
      .when({ ...openRun(), busy: [{ target: 'production:m10', run: 7 }] })
      .refused('target_busy');
    expect(decision).toMatchObject({ why: 'Run 7 is another operation on production, and is still open.' });
  });

  it('is approved by a second person, runs, and closes', () => {
    given(openBeside, openGate(1)).when(approve(1, alice)).then('ReactionRejected');
    given(openBeside, openGate(1), approve(1)).when(spend(1)).then('GateSpent', 'BlockStarted');
    expect(given(...started, ...ran(release, 'release')).next()).toEqual({
      kind: 'finish_run',
      outcome: 'operation-done',
    });
  });

  it('closes when what it was about has changed, or when it is refused', () => {
    const voided = given(openBeside, openGate(1), approve(1)).when(
      spend(1, { fingerprint: { kind: 'computed', fingerprint: otherFingerprint } }),
    );
    voided.then('GateVoided');
    expect(voided.next()).toEqual({ kind: 'finish_run', outcome: 'closed' });
    expect(given(openBeside, openGate(1), react(1, 'refuse', bob)).next()).toEqual({
      kind: 'finish_run',
      outcome: 'closed',
    });
  });

  it('closes when it is stopped: before, while it runs, after it failed', () => {
    const over = { kind: 'finish_run', outcome: 'closed' };
    expect(given(openBeside, openGate(1)).when(stop()).then('GateCancelled', 'StopRequested').next()).toEqual(
      over,
    );
    expect(
      given(...started)
        .when(stop())
        .next(),
    ).toEqual(over);
    expect(
      given(...assessed)
        .when(stop())
        .next(),
    ).toEqual(over);
    // What runs is waited for, and what it came to is kept.
    const running = given(...started, startStep(release, 'release'), stop());
    expect(running.next()).toMatchObject({ kind: 'running' });
    expect(running.when(finishStep(release, 'release')).next()).toEqual({
      kind: 'finish_run',
      outcome: 'operation-done',
    });
  });

  it('looks at what a failure left before it closes', () => {
    expect(
      given(...failed)
        .when(stop())
        .next(),
    ).toMatchObject({ kind: 'assess' });
  });

  it('offers a retry with a new approval, and neither skip nor rollback', () => {
    given(...assessed)
      .when(retry)
      .then('ApprovalRequested');
    given(...assessed)
      .when(skip('release'))
      .refused('step_not_skippable');
    given(...assessed)
      .when(rollback)
      .refused('nothing_to_roll_back');
    given(...assessed)
      .when(close())
      .then('RunClosed');
    given(...started)
      .when(resume)
      .refused('not_stopped');
    expect(opened(given(...assessed).state).assessment?.step).toBe('release');
  });
});

it('a stopped migration waits for people as before', () => {
  const backup = given(
    { ...openRun(), runbook, purpose: { kind: 'operation', id: 'backup' } },
    openGate(1),
    approve(1),
    spend(1),
  );
  expect(backup.when(stop()).next()).toEqual({ kind: 'stopped' });
});
