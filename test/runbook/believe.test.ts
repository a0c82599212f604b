import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/runbook/command.js';
import type { RunEvent } from '../../src/runbook/events.js';
import { evolve } from '../../src/runbook/evolve.js';
import {
  alice,
  approve,
  bob,
  broke,
  carol,
  close,
  fingerprint,
  given,
  open,
  opened,
  openGate,
  otherFingerprint,
  plan,
  preflight,
  ran,
  ref,
  requestNext,
  resume,
  retry,
  rollback,
  skip,
  spend,
  stagingDone,
  stagingStarted,
  startStep,
  stop,
  t0,
} from './spec.js';

const spent = (gate: number, approvers: string[], digest = fingerprint.digest): RunEvent => ({
  type: 'GateSpent',
  gate,
  approvers,
  digest,
});
const given_ = (gate: number, by: string): RunEvent => ({
  type: 'ApprovalGiven',
  gate,
  by,
  emoji: 'e',
  via: 'reaction',
});
const started = (block: string, from: string | null = null): RunEvent => ({
  type: 'BlockStarted',
  block: ref(block),
  from,
});
const reopened = (gate: number, print = fingerprint): RunEvent => ({
  type: 'GateOpened',
  gate,
  needs: 1,
  from: [],
  eligible: [bob],
  expiresAt: t0 + 1,
  fingerprint: print,
  plan,
});
const skipped = (step: string, gate: number): RunEvent => ({
  type: 'StepSkipped',
  block: ref('staging'),
  step,
  attempt: 1,
  gate,
  reason: 'x',
});
const asked: Command[] = [...preflight, requestNext(), openGate(1)];
const productionAsked: Command[] = [...stagingDone, requestNext(), openGate(2, 2)];

type Row = [name: string, given: (Command | RunEvent)[], forged: RunEvent[], why: string];

const forgeries: Row[] = [
  ['a spend without any approval', asked, [spent(1, [])], 'request 1 was spent with 0 of 1 approvals'],
  [
    'a spend by names alone',
    asked,
    [spent(1, [bob])],
    'request 1 was spent with an approval that nobody has given',
  ],
  [
    'a spend by who asked for it',
    asked,
    [given_(1, alice), spent(1, [alice])],
    'request 1 was approved by who asked for it',
  ],
  [
    'one approval where the runbook wants two, whatever the request says',
    [...stagingDone, requestNext()],
    [reopened(2), given_(2, bob), spent(2, [bob])],
    'request 2 was spent with 1 of 2 approvals',
  ],
  [
    'one person counted twice',
    [...productionAsked, approve(2)],
    [spent(2, [bob, bob])],
    'request 2 was spent with 1 of 2 approvals',
  ],
  [
    'a spend of a request that was withdrawn',
    [...asked, approve(1), stop()],
    [spent(1, [bob])],
    'request 1 was spent while it was cancelled',
  ],
  [
    'a spend of another plan than the one that was asked for',
    [...asked, approve(1)],
    [spent(1, [bob], otherFingerprint.digest)],
    'request 1 was spent for something else than it asked for',
  ],
  [
    'another plan under an approval',
    [...asked, approve(1)],
    [reopened(1, otherFingerprint)],
    'request 1 was opened without being asked for, or a second time',
  ],
  ['a spend of a request that never was', preflight, [spent(9, [bob])], 'request 9 was spent and never made'],
  [
    'a phase without its approval',
    asked,
    [started('staging')],
    '"Change staging" was started without an approval',
  ],
  [
    'a phase under the approval of another',
    [...asked, approve(1)],
    [spent(1, [bob]), started('production')],
    '"Change production" was started without an approval',
  ],
  [
    'the same phase twice under one approval',
    stagingDone,
    [started('staging')],
    '"Change staging" was started without an approval',
  ],
  [
    'a rollback out of nothing',
    stagingDone,
    [started('rollback')],
    '"Undo it" was started without an approval',
  ],
  [
    'a step of a block that has not begun',
    stagingDone,
    [{ type: 'StepStarted', block: ref('rollback'), step: 'undo', attempt: 1, target: 'production' }],
    'step undo was started out of turn',
  ],
  [
    'a change that is set to run again',
    [...stagingStarted, ...ran('staging', 'apply')],
    [{ type: 'StepRetried', block: ref('staging'), step: 'apply', by: alice, via: 'command' }],
    'step apply, a change, was set to run again without an approval',
  ],
  [
    'a skip without its approval',
    stagingStarted,
    [skipped('apply', 1)],
    'step apply was skipped without an approval',
  ],
  [
    'a stopped phase that goes on into a change',
    [...stagingStarted, stop()],
    [{ type: 'RunResumed', by: alice, via: 'command' }],
    'run 7 was resumed into a change without an approval',
  ],
  [
    'another runbook under an open run',
    preflight,
    [opening({ changing: [] })],
    'run 7 was opened a second time',
  ],
];

function opening(change: { changing: string[] }): RunEvent {
  const { decision } = given().when(open);
  const event = decision.kind === 'accepted' ? decision.events[0] : undefined;
  if (event?.type !== 'RunOpened') throw new Error('the run was not opened');
  return { ...event, ...change };
}

describe('a forged event makes the run untrusted, and nothing of it is started', () => {
  test.each(forgeries)('%s', (_name, before, forged, why) => {
    const run = given(before, forged);
    expect(opened(run.state).untrusted).toEqual({ why, position: null });
    expect(run.next()).toEqual({ kind: 'untrusted' });
    const [first] = opened(run.state).runbook.phases;
    for (const command of [
      requestNext(),
      rollback,
      retry,
      resume,
      skip('apply'),
      startStep('staging', 'apply'),
    ]) {
      run.when(command).refused('not_believed');
    }
    run.when({ type: 'StartBlock', block: { kind: 'phase', id: first?.id ?? '' } }).refused('not_believed');
  });
});

test('the reason that came first stays, with its place in the journal', () => {
  const { state } = given(asked);
  const forged = [spent(1, []), started('staging')];
  const { untrusted } = opened(
    forged.reduce((to, event, i) => evolve(to, event, { at: t0, position: 40 + i }), state),
  );
  expect(untrusted).toEqual({ why: 'request 1 was spent with 0 of 1 approvals', position: 40 });
});

describe('an untrusted run', () => {
  const forged = [...stagingStarted, skipped('verify', 1)];

  test('can be stopped and closed', () => {
    given(forged).when(stop()).then('StopRequested');
    given(forged).when(close('looked into')).then('RunClosed');
  });

  test('takes the end of a step that runs, so that it can be closed', () => {
    const running = [...stagingStarted, startStep('staging', 'apply'), spent(9, [])];
    const ended = given(running).when(ran('staging', 'apply')[1] as Command);
    ended.then('StepFinished');
    expect(ended.next()).toEqual({ kind: 'untrusted' });
  });

  test('does not repeat a change that was interrupted', () => {
    const running = [...stagingStarted, startStep('staging', 'apply'), spent(9, [])];
    given(running)
      .when({ type: 'RedoStep', block: ref('staging'), step: 'apply', attempt: 1 })
      .then('StepFinished')
      .with({ result: 'failed' } as Partial<RunEvent>);
  });

  test('takes no approval, and answers whoever gives one', () => {
    given(asked, spent(9, []))
      .when(approve(1))
      .then('ReactionRejected')
      .with({ code: 'not_believed' } as Partial<RunEvent>);
  });

  test('that is closed stays readable', () => {
    const closed = given(forged, close('looked into'));
    expect(closed.next()).toEqual({ kind: 'idle' });
    expect(opened(closed.state).untrusted).not.toBeNull();
  });
});

describe('what people and the runner really do is believed', () => {
  const stories: [string, Command[]][] = [
    ['a phase by its approval', stagingDone],
    ['two people for production', [...productionAsked, approve(2), approve(2, carol), spendBoth(2)]],
    [
      'a retry by a new approval',
      [...stagingStarted, ...broke('staging', 'apply'), retry, openGate(2), approve(2), spend(2)],
    ],
    [
      'a skip by its approval',
      [...stagingStarted, ...broke('staging', 'apply'), skip('apply'), openGate(2), approve(2), spend(2)],
    ],
    [
      'checks run again without one',
      [...stagingStarted, ...ran('staging', 'apply'), ...broke('staging', 'verify'), retry],
    ],
    ['a rollback', [...stagingDone, rollback, openGate(2), approve(2), spend(2), ...ran('rollback', 'undo')]],
    ['a stop and a resume between phases', [...stagingDone, stop(), resume]],
  ];

  test.each(stories)('%s', (_name, commands) => {
    expect(opened(given(commands).state).untrusted).toBeNull();
  });
});

function spendBoth(gate: number): Command {
  return spend(gate, { reactions: { kind: 'read', by: { approve: [bob, carol], refuse: [], stop: [] } } });
}
