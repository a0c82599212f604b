import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command, Sign, Verdict } from '../../src/runbook/command.js';
import { decide } from '../../src/runbook/decide.js';
import { blockKey, findBlock } from '../../src/runbook/definition.js';
import { decodeRunEvent, encodeEvent, type RunEvent, type Via } from '../../src/runbook/events.js';
import { evolve, fold } from '../../src/runbook/evolve.js';
import { next } from '../../src/runbook/next.js';
import { initialState, type RunState } from '../../src/runbook/state.js';
import {
  alice,
  bob,
  carol,
  eligible,
  expiresMs,
  fingerprint,
  guest,
  notAsked,
  open,
  otherFingerprint,
  plan,
  ref,
  runbook,
  t0,
} from './spec.js';

const people = [alice, bob, carol, 'UGINA'];
const person = fc.constantFrom(...people);
const gate = fc.integer({ min: 1, max: 6 });
const verdict: fc.Arbitrary<Verdict> = fc.constantFrom(eligible, eligible, eligible, guest, notAsked);
const via = fc.constantFrom<Via[]>('command', 'button', 'reaction', 'reconciled');
const blockRef = fc.constantFrom(
  ref('preflight'),
  ref('staging'),
  ref('production'),
  ref('operation:backup'),
  ref('rollback'),
);
const stepId = fc.constantFrom('look', 'look-2', 'apply', 'verify', 'backup', 'precheck', 'p-apply', 'undo');
const sign = fc.constantFrom<Sign[]>('approve', 'approve', 'approve', 'refuse', 'stop');
const facts = fc.record({
  reactions: fc.option(
    fc.record({
      kind: fc.constant('read' as const),
      by: fc.record({
        approve: fc.subarray(people),
        refuse: fc.constantFrom([], [], [], [bob]),
        stop: fc.constantFrom([], [], [], ['UGINA']),
      }),
    }),
    { freq: 5, nil: notAsked },
  ),
  verdicts: fc.record({ [alice]: verdict, [bob]: verdict, [carol]: verdict }),
  operators: fc.subarray([alice, carol]),
  fingerprint: fc.oneof(
    { weight: 8, arbitrary: fc.constant({ kind: 'computed' as const, fingerprint }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'computed' as const, fingerprint: otherFingerprint }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'failed' as const, why: 'down' }) },
  ),
});

/** Anything that anybody may send, sensible or not. */
const wild: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: fc.constant('RequestNext' as const), by: person, operator: fc.boolean(), via }),
  fc.record({
    type: fc.constant('RequestRollback' as const),
    by: person,
    operator: fc.boolean(),
    reason: fc.constant('x'),
    via,
  }),
  fc.record({
    type: fc.constant('RequestOperation' as const),
    by: person,
    operator: fc.boolean(),
    operation: fc.constantFrom('backup', 'look', 'none'),
    via,
  }),
  fc.record({
    type: fc.constant('RequestSkip' as const),
    by: person,
    operator: fc.boolean(),
    step: stepId,
    reason: fc.constant('x'),
    via,
  }),
  fc.record({ type: fc.constant('Retry' as const), by: person, operator: fc.boolean(), via }),
  fc.record({ type: fc.constant('Resume' as const), by: person, operator: fc.boolean(), via }),
  fc.record({
    type: fc.constant('Stop' as const),
    by: person,
    reason: fc.constant(''),
    now: fc.boolean(),
    via,
  }),
  fc.record({
    type: fc.constant('React' as const),
    gate,
    by: person,
    sign,
    emoji: fc.constant('e'),
    verdict,
    operator: fc.boolean(),
    via,
  }),
  fc.record({ type: fc.constant('Unreact' as const), gate, by: person, sign, via }),
  fc.record({ type: fc.constant('SpendGate' as const), gate, facts }),
  fc.record({ type: fc.constant('ExpireGate' as const), gate }),
  fc.record({ type: fc.constant('StartBlock' as const), block: blockRef }),
  fc.record({
    type: fc.constant('StartStep' as const),
    block: blockRef,
    step: stepId,
    attempt: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    type: fc.constant('RedoStep' as const),
    block: blockRef,
    step: stepId,
    attempt: fc.integer({ min: 1, max: 3 }),
  }),
);

/** What a diligent team and runner would do next, so that sequences get deep into a run. */
const diligent = fc.record({
  follow: fc.constant(true as const),
  approvers: fc.subarray([bob, carol], { minLength: 1 }),
  result: fc.constantFrom(
    'passed' as const,
    'passed' as const,
    'passed' as const,
    'failed' as const,
    'unknown' as const,
  ),
  crash: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  facts,
});
type Generated<A> = A extends fc.Arbitrary<infer V> ? V : never;
type Follow = Generated<typeof diligent>;
type Move = { readonly command: Command } | Follow | { readonly wait: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: wild.map((command) => ({ command })) },
  { weight: 6, arbitrary: diligent },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: expiresMs }).map((wait) => ({ wait })) },
);

/** Mostly a team that does its work, so that the end of a run is reached. */
const calm: fc.Arbitrary<Move> = fc.oneof(
  { weight: 1, arbitrary: wild.map((command) => ({ command })) },
  {
    weight: 40,
    arbitrary: diligent.map(
      (m): Follow => ({
        ...m,
        approvers: [bob, carol],
        facts: { ...m.facts, reactions: { kind: 'read', by: { approve: people, refuse: [], stop: [] } } },
      }),
    ),
  },
);

function diligently(state: RunState, now: number, m: Follow): Command[] {
  const wanted = next(state, now);
  switch (wanted.kind) {
    case 'prepare_gate':
      return [
        {
          type: 'OpenGate',
          gate: wanted.gate.id,
          needs:
            wanted.gate.cover.block.kind === 'phase' && wanted.gate.cover.block.id === 'production' ? 2 : 1,
          from: [],
          eligible: [bob, carol],
          expiresMs,
          fingerprint,
          plan,
        },
      ];
    case 'wait_approval':
      return m.approvers.map((by) => ({
        type: 'React',
        gate: wanted.gate.id,
        by,
        sign: 'approve',
        emoji: 'e',
        verdict: eligible,
        operator: false,
        via: 'reaction',
      }));
    case 'spend_gate':
      return [{ type: 'SpendGate', gate: wanted.gate.id, facts: m.facts }];
    case 'expire_gate':
      return [{ type: 'ExpireGate', gate: wanted.gate.id }];
    case 'start_block':
      return [{ type: 'StartBlock', block: wanted.block }];
    case 'run_step':
      return [{ type: 'StartStep', block: wanted.block, step: wanted.step, attempt: wanted.attempt }];
    case 'running':
      return m.crash
        ? [{ type: 'RedoStep', block: wanted.block, step: wanted.step, attempt: wanted.attempt }]
        : [
            {
              type: 'FinishStep',
              block: wanted.block,
              step: wanted.step,
              attempt: wanted.attempt,
              result: m.result,
              summary: '',
              output: '',
              outputFile: null,
              data: {},
              durationMs: 1,
              recovered: false,
            },
          ];
    case 'assess':
      return [
        {
          type: 'Assess',
          block: wanted.block,
          step: wanted.step,
          attempt: wanted.attempt,
          targets: [],
          loss: [],
          notes: [],
        },
      ];
    case 'ask_human':
      return [{ type: 'Retry', by: alice, operator: true, via: 'command' }];
    case 'stopped':
      return [{ type: 'Resume', by: alice, operator: true, via: 'command' }];
    case 'await_next':
      return [{ type: 'RequestNext', by: alice, operator: true, via: 'command' }];
    case 'finish_run':
      return [{ type: 'FinishRun', targets: [] }];
    case 'untrusted':
    case 'idle':
      return [];
  }
}

/** Plays moves; every event goes through its stored form, as after a restart. */
function playMoves(moves: readonly Move[]): { events: RunEvent[]; at: number[]; state: RunState } {
  const events: RunEvent[] = [];
  const at: number[] = [];
  let state = initialState;
  let now = t0;
  const put = (command: Command) => {
    const decision = decide(state, command, now);
    if (decision.kind === 'refused') return;
    for (const event of decision.events) {
      const stored = encodeEvent(event);
      const read = decodeRunEvent(stored.type, JSON.parse(JSON.stringify(stored.data)));
      events.push(read);
      at.push(now);
      state = evolve(state, read, { at: now });
    }
  };
  put(open);
  for (const m of moves) {
    now += 1;
    if ('wait' in m) now += m.wait;
    else if ('command' in m) put(m.command);
    else for (const command of diligently(state, now, m)) put(command);
  }
  return { events, at, state };
}

/** Reads the events alone, knowing nothing of the code under test, and names the first breach. */
function breach(events: readonly RunEvent[], at: readonly number[]): string | null {
  const gates = new Map<
    number,
    { by: string; needs: number; until: number; approvals: Set<string>; spent: boolean; closed: boolean }
  >();
  /** Blocks that an approval has opened and that have not stopped, failed or finished since. */
  let licence: string | null = null;
  const unresolved = new Set<string>();
  let stopped = false;
  let running: string | null = null;
  for (const [i, event] of events.entries()) {
    const now = at[i] ?? 0;
    switch (event.type) {
      case 'ApprovalRequested':
        gates.set(event.gate, {
          by: event.by,
          needs: Number.POSITIVE_INFINITY,
          until: 0,
          approvals: new Set(),
          spent: false,
          closed: false,
        });
        break;
      case 'GateOpened': {
        const g = gates.get(event.gate);
        if (g !== undefined) Object.assign(g, { needs: event.needs, until: event.expiresAt });
        break;
      }
      case 'ApprovalGiven':
        if (gates.get(event.gate)?.by === event.by) return 'the requester was counted';
        gates.get(event.gate)?.approvals.add(event.by);
        break;
      case 'ApprovalWithdrawn':
        gates.get(event.gate)?.approvals.delete(event.by);
        break;
      case 'GateReposted':
        gates.get(event.gate)?.approvals.clear();
        break;
      case 'GateRefused':
      case 'GateExpired':
      case 'GateVoided':
      case 'GateCancelled': {
        const g = gates.get(event.gate);
        if (g?.spent === true) return 'a spent gate was closed again';
        if (g !== undefined) g.closed = true;
        break;
      }
      case 'GateSpent': {
        const g = gates.get(event.gate);
        if (g === undefined) return 'an unknown gate was spent';
        if (g.spent) return 'a gate was spent twice';
        if (g.closed) return 'a closed gate was spent';
        if (now >= g.until) return 'an expired gate was spent';
        if (event.approvers.includes(g.by)) return 'the requester was counted at the start';
        if (new Set(event.approvers).size < g.needs) return 'too few approvals';
        if (!event.approvers.every((user) => g.approvals.has(user))) return 'an approval was invented';
        g.spent = true;
        break;
      }
      case 'BlockStarted': {
        const before = events[i - 1];
        const gated = findBlock(runbook, event.block)?.gate !== 'none';
        if (gated && before?.type !== 'GateSpent') return 'a gated block started without its approval';
        licence = blockKey(event.block);
        for (const s of findBlock(runbook, event.block)?.steps ?? []) {
          const all = findBlock(runbook, event.block)?.steps.map((each) => each.id) ?? [];
          const from = event.from === null ? 0 : all.indexOf(event.from);
          if (all.indexOf(s.id) >= from) unresolved.delete(`${blockKey(event.block)}/${s.id}`);
        }
        stopped = false;
        break;
      }
      case 'StopRequested':
        stopped = true;
        break;
      case 'RunResumed':
        stopped = false;
        break;
      case 'StepStarted': {
        if (running !== null) return 'two steps at once';
        if (stopped) return 'a step started in a stopped run';
        const block = findBlock(runbook, event.block);
        const changes = block?.steps.find((s) => s.id === event.step)?.uses === 'change';
        const bad = [...unresolved].some((key) => key.startsWith(`${blockKey(event.block)}/`));
        if (changes && bad) return 'a change started after a failure that nobody resolved';
        if (changes && licence !== blockKey(event.block)) return 'a change started without a licence';
        running = event.step;
        break;
      }
      case 'StepRetried':
        if (running === event.step) running = null;
        unresolved.delete(`${blockKey(event.block)}/${event.step}`);
        break;
      case 'StepFinished': {
        running = null;
        const block = findBlock(runbook, event.block);
        const changes = block?.steps.find((s) => s.id === event.step)?.uses === 'change';
        if (event.result !== 'passed') unresolved.add(`${blockKey(event.block)}/${event.step}`);
        if (event.result !== 'passed' && changes) licence = null;
        break;
      }
      case 'StepSkipped':
        if (!gates.get(event.gate)?.spent) return 'a skip without approval';
        unresolved.delete(`${blockKey(event.block)}/${event.step}`);
        licence = blockKey(event.block);
        break;
      case 'BlockFinished':
        licence = null;
        break;
      default:
        break;
    }
  }
  return null;
}

test('no sequence starts a gated phase without its approvals, spends one twice, or counts the requester', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      const { events, at } = playMoves(moves);
      expect(breach(events, at)).toBeNull();
    }),
    { numRuns: 1_000 },
  );
});

test('what was decided is always believed', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(move, calm), { maxLength: 80 }), (moves) => {
      const { state } = playMoves(moves);
      expect(state.kind === 'none' ? null : state.untrusted).toBeNull();
    }),
    { numRuns: 1_000 },
  );
});

test('a state folded again from the journal is the state that decided', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const { events, at, state } = playMoves(moves);
      expect(fold(events.map((event, i) => ({ event, at: at[i] ?? 0 })))).toEqual(state);
    }),
    { numRuns: 300 },
  );
});

test('the sequences reach the end of a run, failures and rollbacks', () => {
  const seen = new Set<string>();
  const sample = (kind: fc.Arbitrary<Move>) =>
    fc.sample(fc.array(kind, { minLength: 60, maxLength: 80 }), { numRuns: 250, seed: 7 });
  for (const moves of [...sample(move), ...sample(calm)]) {
    for (const event of playMoves(moves).events) {
      seen.add(event.type);
      if (event.type === 'RunClosed') seen.add(event.outcome);
    }
  }
  const wanted = [
    'GateSpent',
    'GateVoided',
    'GateExpired',
    'StepSkipped',
    'FailureAssessed',
    'RunResumed',
    'verified',
    'rolled-back',
  ];
  expect(wanted.filter((type) => !seen.has(type))).toEqual([]);
});
