import { doubtOf } from './believe.js';
import { type BlockRef, blockKey, findBlock } from './definition.js';
import type { EventOf, RunEvent } from './events.js';
import {
  type Assessment,
  blockProgress,
  type EventMeta,
  type Gate,
  initialState,
  type OpenedRun,
  type RunState,
  type StepProgress,
  stepKey,
  stepProgress,
  type Untrusted,
} from './state.js';

/**
 * Folds one event into the state. An event that cannot follow from what stands before it is folded like any other,
 * so that people see what the journal holds, and makes the run untrusted.
 */
export function evolve(state: RunState, event: RunEvent, meta: EventMeta): RunState {
  if (state.kind === 'none') return event.type === 'RunOpened' ? opened(event, meta) : state;
  const why = doubtOf(state, event);
  const after = evolved(state, event, meta);
  return why === null ? after : distrusted(after, event, { why, position: meta.position ?? null });
}

function distrusted(state: OpenedRun, event: RunEvent, untrusted: Untrusted): OpenedRun {
  const marked = event.type === 'GateSpent' ? withGate(state, event.gate, { doubt: untrusted.why }) : state;
  return { ...marked, untrusted: state.untrusted ?? untrusted };
}

/** Total over every event type, so that a new type does not compile until its effect is written here. */
function evolved(state: OpenedRun, event: RunEvent, meta: EventMeta): OpenedRun {
  switch (event.type) {
    case 'RunOpened':
      // A run is opened once: what it is about stays as it was.
      return state;
    case 'ApprovalRequested':
      return { ...state, gates: [...state.gates, requested(event, meta)] };
    case 'GatePreparationFailed':
      return withGate(state, event.gate, { status: 'not-prepared' });
    case 'GateOpened':
      return withGate(state, event.gate, {
        status: 'open',
        needs: event.needs,
        from: event.from,
        eligible: event.eligible,
        expiresAt: event.expiresAt,
        fingerprint: event.fingerprint,
        plan: event.plan,
      });
    case 'ApprovalGiven':
      return withApprovals(answered(state, event), event.gate, (list) => [
        ...list.filter((a) => a.by !== event.by),
        { by: event.by, at: meta.at },
      ]);
    case 'ApprovalWithdrawn':
      return withApprovals(answered(state, event), event.gate, (list) =>
        list.filter((a) => a.by !== event.by),
      );
    case 'LookupFailed':
      return unanswered(state, event);
    case 'ReactionRejected':
      return withGateNote(answered(state, event), event);
    case 'GateRefused':
      return withGate(state, event.gate, { status: 'refused', closedBy: event.by });
    case 'GateReposted':
      return reposted(state, event);
    case 'GateExpired':
      return withGate(state, event.gate, { status: 'expired' });
    case 'GateCancelled':
      return withGate(state, event.gate, { status: 'cancelled', closedBy: event.by });
    case 'GateVoided':
      return withGate(state, event.gate, { status: 'voided' });
    case 'GateSpent':
      return {
        ...withGate(state, event.gate, { status: 'spent', waits: null }),
        unusedApproval: event.gate,
      };
    case 'BlockStarted':
      return started(state, event, meta);
    case 'StepStarted':
      return withStep(state, event.block, event.step, {
        status: 'running',
        attempt: event.attempt,
        startedAt: meta.at,
        startHash: meta.hash ?? null,
        startedIn: event.where ?? null,
        durationMs: null,
        summary: '',
      });
    case 'StepFinished':
      return withNotes(
        withStep(state, event.block, event.step, {
          status: event.result,
          summary: event.summary,
          durationMs: event.durationMs,
          data: event.data,
          executed: event.executed ?? null,
        }),
        event,
      );
    case 'StepSkipped':
      return {
        ...withStep(state, event.block, event.step, {
          status: 'skipped',
          summary: event.reason,
          skippedUnder: event.gate,
        }),
        unusedApproval: null,
        // The question that its failure put is answered by this; the end of the block is not its answer.
        assessment: asksAbout(state.assessment, event.step) ? null : state.assessment,
      };
    case 'StepRetried':
      return { ...withStep(state, event.block, event.step, { status: 'pending' }), assessment: null };
    case 'FailureAssessed':
      return {
        ...state,
        assessment: {
          step: event.step,
          attempt: event.attempt,
          others: event.others ?? [],
          targets: event.targets,
          loss: event.loss,
          notes: event.notes,
        },
      };
    case 'StopRequested':
      return {
        ...state,
        stopped: {
          by: state.stopped?.by ?? event.by,
          reason: state.stopped?.reason ?? event.reason,
          at: state.stopped?.at ?? meta.at,
          now: event.now || (state.stopped?.now ?? false),
        },
      };
    case 'ApprovalNotConfirmed':
      // Like a stop: whoever takes the run up again asks for a new approval.
      return { ...state, stopped: { by: 'm10bot', reason: event.why, at: meta.at, now: false } };
    case 'RunResumed':
      return { ...state, stopped: null };
    case 'BlockFinished':
      return {
        ...state,
        current: event.block.kind === 'rollback' ? null : state.interrupted,
        interrupted: null,
        assessment: null,
        blocks: {
          ...state.blocks,
          [blockKey(event.block)]: {
            ...blockProgress(state, event.block),
            status: 'done',
            finishedAt: meta.at,
          },
        },
      };
    case 'RunClosed':
      return { ...state, closed: { outcome: event.outcome, at: meta.at, by: event.by } };
    case 'CommandRefused':
    case 'PlanShown':
    case 'JournalMismatch':
      return state;
  }
}

/** Folds a whole stream. */
export function fold(
  events: Iterable<{ event: RunEvent; at: number }>,
  from: RunState = initialState,
): RunState {
  let state = from;
  for (const { event, at } of events) state = evolve(state, event, { at });
  return state;
}

function opened(event: EventOf<'RunOpened'>, meta: EventMeta): OpenedRun {
  return {
    kind: 'run',
    run: event.run,
    purpose: event.purpose,
    runbook: event.runbook,
    digest: event.digest,
    channel: event.channel,
    requester: event.by,
    openedAt: meta.at,
    changing: event.changing,
    blocks: {},
    steps: {},
    current: null,
    interrupted: null,
    gates: [],
    unusedApproval: null,
    untrusted: null,
    stopped: null,
    assessment: null,
    notes: [],
    closed: null,
  };
}

function requested(event: EventOf<'ApprovalRequested'>, meta: EventMeta): Gate {
  return {
    id: event.gate,
    cover: event.cover,
    requestedBy: event.by,
    requestedAt: meta.at,
    status: 'preparing',
    needs: 1,
    from: [],
    eligible: [],
    expiresAt: null,
    fingerprint: null,
    plan: null,
    approvals: [],
    rejected: [],
    closedBy: null,
    waits: null,
    lost: [],
    doubt: null,
  };
}

/** A block begins anew, or goes on from the step where it stopped: what follows that step is pending again. */
function started(state: OpenedRun, event: EventOf<'BlockStarted'>, meta: EventMeta): OpenedRun {
  const block = findBlock(state.runbook, event.block);
  const steps = { ...state.steps };
  const ids = block?.steps.map((s) => s.id) ?? [];
  const first = event.from === null ? 0 : Math.max(0, ids.indexOf(event.from));
  for (const id of ids.slice(first)) {
    const was = stepProgress(state, event.block, id);
    steps[stepKey(event.block, id)] = { ...was, status: 'pending', summary: '', durationMs: null };
  }
  const was = blockProgress(state, event.block);
  return {
    ...state,
    steps,
    current: event.block,
    // The first one that was left waits: a second operation in between takes the place of the failed one.
    interrupted:
      state.current !== null && blockKey(state.current) !== blockKey(event.block)
        ? (state.interrupted ?? state.current)
        : state.interrupted,
    unusedApproval: null,
    stopped: null,
    assessment: null,
    blocks: {
      ...state.blocks,
      [blockKey(event.block)]: {
        status: 'running',
        startedAt: event.from === null ? meta.at : (was.startedAt ?? meta.at),
        finishedAt: null,
      },
    },
  };
}

function withStep(state: OpenedRun, block: BlockRef, step: string, change: Partial<StepProgress>): OpenedRun {
  const was = stepProgress(state, block, step);
  return { ...state, steps: { ...state.steps, [stepKey(block, step)]: { ...was, ...change } } };
}

function asksAbout(assessment: Assessment | null, step: string): boolean {
  return assessment?.step === step || (assessment?.others.some((o) => o.step === step) ?? false);
}

function withNotes(state: OpenedRun, event: EventOf<'StepFinished'>): OpenedRun {
  const { block, step, attempt, notes = [] } = event;
  if (notes.length === 0) return state;
  return { ...state, notes: [...state.notes, ...notes.map((text) => ({ block, step, attempt, text }))] };
}

function withGate(state: OpenedRun, id: number, change: Partial<Gate>): OpenedRun {
  return { ...state, gates: state.gates.map((g) => (g.id === id ? { ...g, ...change } : g)) };
}

function reposted(state: OpenedRun, { gate, lost }: EventOf<'GateReposted'>): OpenedRun {
  const before = state.gates.find((g) => g.id === gate)?.lost ?? [];
  return withGate(state, gate, { approvals: [], waits: null, lost: [...before, lost] });
}

function unanswered(state: OpenedRun, { gate, users, why }: EventOf<'LookupFailed'>): OpenedRun {
  const before = state.gates.find((g) => g.id === gate)?.waits?.users ?? [];
  return withGate(state, gate, { waits: { users: [...new Set([...before, ...users])], why } });
}

/** Slack has answered about one person: others may still be waited for. */
function answered(state: OpenedRun, { gate, by }: { readonly gate: number; readonly by: string }): OpenedRun {
  const waits = state.gates.find((g) => g.id === gate)?.waits ?? null;
  if (waits === null) return state;
  const users = waits.users.filter((user) => user !== by);
  return withGate(state, gate, { waits: users.length === 0 ? null : { ...waits, users } });
}

function withApprovals(
  state: OpenedRun,
  id: number,
  change: (list: Gate['approvals']) => Gate['approvals'],
): OpenedRun {
  return {
    ...state,
    gates: state.gates.map((g) => (g.id === id ? { ...g, approvals: change(g.approvals) } : g)),
  };
}

function withGateNote(state: OpenedRun, event: EventOf<'ReactionRejected'>): OpenedRun {
  const note = { by: event.by, emoji: event.emoji, code: event.code };
  return {
    ...state,
    gates: state.gates.map((g) => (g.id === event.gate ? { ...g, rejected: [...g.rejected, note] } : g)),
  };
}
