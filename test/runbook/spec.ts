import { expect } from 'vitest';
import type { Command, CommandOf, NotAsked, SpendFacts, Verdict } from '../../src/runbook/command.js';
import { type Decision, decide } from '../../src/runbook/decide.js';
import { Runbook } from '../../src/runbook/definition.js';
import type { Plan, RunEvent, RunEventType } from '../../src/runbook/events.js';
import { fold } from '../../src/runbook/evolve.js';
import { type Fingerprint, fingerprintOf } from '../../src/runbook/fingerprint.js';
import { type Next, next } from '../../src/runbook/next.js';
import type { ReasonCode } from '../../src/runbook/refusal.js';
import type { OpenedRun, RunState } from '../../src/runbook/state.js';

export const alice = 'UALICE';
export const bob = 'UBOB';
export const carol = 'UCAROL';
export const t0 = Date.parse('2026-01-10T02:00:00Z');
export const expiresMs = 30 * 60_000;

/** Two phases that change, one of checks before them, an operation and a rollback. */
export const runbook = Runbook.parse({
  runbook: 'sample',
  title: 'A sample procedure',
  targets: ['staging', 'production'],
  migration: { from: 'a', to: 'b' },
  phases: [
    {
      id: 'preflight',
      title: 'Look before',
      gate: 'none',
      steps: [
        { id: 'look', title: 'Look at staging', on: 'staging', uses: 'check' },
        { id: 'look-2', title: 'Look at production', on: 'production', uses: 'check' },
      ],
    },
    {
      id: 'staging',
      title: 'Change staging',
      on: 'staging',
      gate: { approvals: 1, expires: '30m' },
      steps: [
        { id: 'apply', title: 'Apply it', uses: 'change' },
        { id: 'verify', title: 'Verify it', uses: 'check' },
      ],
    },
    {
      id: 'production',
      title: 'Change production',
      on: 'production',
      gate: { approvals: 2, expires: '30m' },
      steps: [
        { id: 'backup', title: 'Back up', uses: 'change' },
        { id: 'precheck', title: 'Check again', uses: 'check' },
        { id: 'p-apply', title: 'Apply it', uses: 'change' },
      ],
    },
  ],
  operations: [
    {
      id: 'backup',
      title: 'A backup',
      on: 'production',
      gate: { approvals: 1 },
      steps: [{ id: 'dump', title: 'Dump it', uses: 'change' }],
    },
    {
      id: 'look',
      title: 'A look',
      on: 'production',
      gate: 'none',
      steps: [{ id: 'peek', title: 'Peek at it', uses: 'check' }],
    },
  ],
  rollback: {
    id: 'rollback',
    title: 'Undo it',
    on: 'production',
    gate: { approvals: 1 },
    steps: [{ id: 'undo', title: 'Undo it', uses: 'change' }],
  },
});

export const fingerprint: Fingerprint = fingerprintOf(
  { 'production: revision': 'a', runbook: 'r' },
  (s) => s,
);
export const otherFingerprint: Fingerprint = fingerprintOf(
  { 'production: revision': 'b', runbook: 'r' },
  (s) => s,
);
export const plan: Plan = { steps: [], targets: [], sql: [], warnings: [] };
export const eligible: Verdict = { kind: 'eligible' };
/** Slack's answer to nobody's question. */
export const notAsked: NotAsked = { kind: 'not_asked', why: 'rate limit', retryAfterMs: 1_000 };
export const guest: Verdict = { kind: 'ineligible', code: 'guest', why: 'is a guest' };

export const open: Command = {
  type: 'OpenRun',
  run: 7,
  purpose: { kind: 'runbook' },
  runbook,
  digest: 'd',
  channel: 'C1',
  by: alice,
  operator: true,
  changing: ['change'],
  reason: '',
  busy: [],
};

export const facts = (change: Partial<SpendFacts> = {}): SpendFacts => ({
  reactions: { kind: 'read', by: { approve: [bob], refuse: [], stop: [] } },
  verdicts: { [bob]: eligible, [carol]: eligible },
  operators: [alice],
  fingerprint: { kind: 'computed', fingerprint },
  ...change,
});

type Given = RunEvent | Command | readonly (RunEvent | Command)[];

function isEvent(item: RunEvent | Command): item is RunEvent {
  return /^(RunOpened|ApprovalRequested|Gate(Opened|Refused|Expired|Voided|Spent|Cancelled|PreparationFailed)|Approval(Given|Withdrawn)|LookupFailed|ReactionRejected|BlockStarted|BlockFinished|Step(Started|Finished|Skipped|Retried)|FailureAssessed|StopRequested|RunResumed|RunClosed|CommandRefused|PlanShown|ApprovalNotConfirmed|GateReposted)$/.test(
    item.type,
  );
}

/** Plays events and commands into a state; a command that is refused fails the test. */
export function play(items: readonly Given[], from: RunState = fold([]), now = t0): RunState {
  let state = from;
  for (const item of items.flat() as (RunEvent | Command)[]) {
    if (isEvent(item)) {
      state = fold([{ event: item, at: now }], state);
      continue;
    }
    const decision = decide(state, item, now);
    if (decision.kind === 'refused') throw new Error(`${item.type} was refused: ${decision.why}`);
    state = fold(
      decision.events.map((event) => ({ event, at: now })),
      state,
    );
  }
  return state;
}

export function opened(state: RunState): OpenedRun {
  if (state.kind === 'none') throw new Error('no run is open');
  return state;
}

/** given(events and commands).when(command).then(...) */
export function given(...items: Given[]) {
  const state = play(items);
  return {
    state,
    when(command: Command, now = t0) {
      const decision = decide(state, command, now);
      const after =
        decision.kind === 'accepted'
          ? fold(
              decision.events.map((event) => ({ event, at: now })),
              state,
            )
          : state;
      return outcome(decision, after, now);
    },
    next: (now = t0): Next => next(state, now),
  };
}

function outcome(decision: Decision, after: RunState, now: number) {
  return {
    state: after,
    decision,
    // biome-ignore lint/suspicious/noThenProperty: given, when, then are the words of such tests; it is never awaited
    then(...types: RunEventType[]) {
      expect(decision).toMatchObject({ kind: 'accepted' });
      expect(decision.kind === 'accepted' ? decision.events.map((e) => e.type) : []).toEqual(types);
      return this;
    },
    with(...events: Partial<RunEvent>[]) {
      expect(decision.kind === 'accepted' ? decision.events : []).toMatchObject(events);
      return this;
    },
    refused(code: ReasonCode) {
      expect(decision).toMatchObject({ kind: 'refused', code });
      return this;
    },
    next: (): Next => next(after, now),
  };
}

export const startStep = (block: string, step: string, attempt = 1): Command => ({
  type: 'StartStep',
  block: ref(block),
  step,
  attempt,
  where: { directory: 'directory-1', host: 'bot-1' },
});

export const finishStep = (
  block: string,
  step: string,
  result: 'passed' | 'failed' | 'unknown' = 'passed',
  attempt = 1,
): Command => ({
  type: 'FinishStep',
  block: ref(block),
  step,
  attempt,
  result,
  summary: result,
  output: '',
  outputFile: null,
  data: {},
  durationMs: 1,
  recovered: false,
});

export function ref(block: string) {
  if (block === 'rollback') return { kind: 'rollback' } as const;
  const [kind, id] = block.includes(':') ? block.split(':') : ['phase', block];
  return kind === 'operation'
    ? ({ kind: 'operation', id: id ?? '' } as const)
    : ({ kind: 'phase', id: id ?? '' } as const);
}

export const ran = (block: string, step: string, attempt = 1): Command[] => [
  startStep(block, step, attempt),
  finishStep(block, step, 'passed', attempt),
];
export const broke = (block: string, step: string, attempt = 1): Command[] => [
  startStep(block, step, attempt),
  finishStep(block, step, 'failed', attempt),
];

export const preflight: Command[] = [
  open,
  { type: 'StartBlock', block: ref('preflight') },
  ...ran('preflight', 'look'),
  ...ran('preflight', 'look-2'),
];
export const requestNext = (by = alice): Command => ({
  type: 'RequestNext',
  by,
  operator: true,
  via: 'command',
});
export const openGate = (gate: number, needs = 1): Command => ({
  type: 'OpenGate',
  gate,
  needs,
  from: [],
  eligible: [bob, carol],
  expiresMs,
  fingerprint,
  plan,
});
export const approve = (gate: number, by = bob, verdict: Verdict = eligible): CommandOf<'React'> => ({
  type: 'React',
  gate,
  by,
  sign: 'approve',
  emoji: 'white_check_mark',
  verdict,
  operator: false,
  via: 'reaction',
});
export const react = (gate: number, sign: 'approve' | 'refuse' | 'stop', by: string): Command => ({
  ...approve(gate, by),
  sign,
  emoji: sign,
});
export const unreact = (gate: number, by = bob): Command => ({
  type: 'Unreact',
  gate,
  by,
  sign: 'approve',
  via: 'reaction',
});
export const spend = (gate: number, change: Partial<SpendFacts> = {}): Command => ({
  type: 'SpendGate',
  gate,
  facts: facts(change),
});
export const stop = (by = bob, now = false): Command => ({
  type: 'Stop',
  by,
  reason: 'wait',
  now,
  via: 'command',
});
export const retry: Command = { type: 'Retry', by: alice, operator: true, via: 'command' };
export const resume: Command = { type: 'Resume', by: alice, operator: true, via: 'command' };
export const rollback: Command = {
  type: 'RequestRollback',
  by: alice,
  operator: true,
  reason: 'broken',
  via: 'command',
};
export const skip = (step: string, reason = 'known'): Command => ({
  type: 'RequestSkip',
  by: alice,
  operator: true,
  step,
  reason,
  via: 'command',
});
export const close = (reason = 'done'): Command => ({
  type: 'Close',
  by: alice,
  operator: true,
  reason,
  targets: [],
});

/** Preflight done, staging approved by Bob and started. */
export const stagingStarted: Command[] = [...preflight, requestNext(), openGate(1), approve(1), spend(1)];
export const stagingDone: Command[] = [
  ...stagingStarted,
  ...ran('staging', 'apply'),
  ...ran('staging', 'verify'),
];
