import {
  type Block,
  type BlockRef,
  blockKey,
  findBlock,
  type Runbook,
  type Step,
  targetOf,
} from './definition.js';
import type { Cover, EventOf, Loss, Plan, Purpose, StepResult, TargetState, Where } from './events.js';
import type { Executed, ExecutedElsewhere } from './executed.js';
import type { Fingerprint } from './fingerprint.js';

export type StepStatus = 'pending' | 'running' | StepResult | 'skipped';

export interface StepProgress {
  readonly status: StepStatus;
  /** The last attempt's number; 0 before the first. */
  readonly attempt: number;
  readonly summary: string;
  readonly startedAt: number | null;
  /** The hash of the event that started its last attempt, which no other event has; null where it is not known. */
  readonly startHash: string | null;
  /** Where the records of that attempt are kept; null for an attempt of an earlier release. */
  readonly startedIn: Where | null;
  readonly durationMs: number | null;
  readonly data: EventOf<'StepFinished'>['data'];
  /** What its last attempt really executed; null where nothing of it is known. */
  readonly executed: Executed | null;
  /** The request under which it was skipped last; null when it never was. */
  readonly skippedUnder: number | null;
}

/** A warning that came with the end of a step: it stays, whatever is done afterwards. */
export interface StepNote {
  readonly block: BlockRef;
  readonly step: string;
  readonly attempt: number;
  readonly text: string;
}

export type GateStatus =
  | 'preparing'
  | 'open'
  | 'spent'
  | 'refused'
  | 'expired'
  | 'voided'
  | 'cancelled'
  | 'not-prepared';

export interface Approval {
  readonly by: string;
  readonly at: number;
}

export interface Gate {
  readonly id: number;
  readonly cover: Cover;
  readonly requestedBy: string;
  readonly requestedAt: number;
  readonly status: GateStatus;
  readonly needs: number;
  readonly from: readonly string[];
  readonly eligible: readonly string[];
  readonly expiresAt: number | null;
  readonly fingerprint: Fingerprint | null;
  readonly plan: Plan | null;
  readonly approvals: readonly Approval[];
  /** Reactions that did not count, so that looking again does not answer them again. */
  readonly rejected: readonly { readonly by: string; readonly emoji: string; readonly code: string }[];
  readonly closedBy: string | null;
  /** Why it goes on waiting for an answer from Slack, and about whom; null while everything is answered. */
  readonly waits: { readonly users: readonly string[]; readonly why: string } | null;
  /** Slack's timestamps of its messages that were deleted. */
  readonly lost: readonly string[];
  /** Why its spending is not believed; null when nothing speaks against it. */
  readonly doubt: string | null;
}

/** Why a run is not believed: nothing of it is started any more. */
export interface Untrusted {
  readonly why: string;
  /** Where in the journal the event stands that cannot be believed; null when that is not known. */
  readonly position: number | null;
}

export interface BlockProgress {
  readonly status: 'pending' | 'running' | 'done';
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

export interface Assessment {
  readonly step: string;
  readonly attempt: number;
  /** Further steps of the same question. */
  readonly others: readonly { readonly step: string; readonly attempt: number }[];
  readonly targets: readonly TargetState[];
  readonly loss: readonly Loss[];
  readonly notes: readonly string[];
}

export interface OpenedRun {
  readonly kind: 'run';
  readonly run: number;
  readonly purpose: Purpose;
  readonly runbook: Runbook;
  readonly digest: string;
  readonly channel: string;
  readonly requester: string;
  readonly openedAt: number;
  readonly changing: readonly string[];
  /** Progress of blocks by `blockKey`. */
  readonly blocks: Readonly<Record<string, BlockProgress>>;
  /** Progress of steps by `stepKey`. */
  readonly steps: Readonly<Record<string, StepProgress>>;
  /** The block that has been started and is not done. */
  readonly current: BlockRef | null;
  /** A block that waits while an operation runs in between. */
  readonly interrupted: BlockRef | null;
  readonly gates: readonly Gate[];
  /** The request that was spent and whose effect has not begun yet: both come in one append. */
  readonly unusedApproval: number | null;
  /** The first reason not to believe the journal of this run; null while there is none. */
  readonly untrusted: Untrusted | null;
  readonly stopped: {
    readonly by: string;
    readonly reason: string;
    readonly at: number;
    readonly now: boolean;
  } | null;
  readonly assessment: Assessment | null;
  /** Warnings of steps, in the order in which they came. */
  readonly notes: readonly StepNote[];
  readonly closed: {
    readonly outcome: EventOf<'RunClosed'>['outcome'];
    readonly at: number;
    readonly by: string;
  } | null;
}

export type RunState = { readonly kind: 'none' } | OpenedRun;

export const initialState: RunState = { kind: 'none' };

/** When and where an event was appended; part of the state only as times. */
export interface EventMeta {
  /** ms since the epoch, by the journal's clock */
  readonly at: number;
  /** The event's own hash in the journal. */
  readonly hash?: string;
  /** Its place in the journal. */
  readonly position?: number;
}

export function stepKey(block: BlockRef, step: string): string {
  return `${blockKey(block)}/${step}`;
}

const freshStep: StepProgress = {
  status: 'pending',
  attempt: 0,
  summary: '',
  startedAt: null,
  startHash: null,
  startedIn: null,
  durationMs: null,
  data: {},
  executed: null,
  skippedUnder: null,
};
const freshBlock: BlockProgress = { status: 'pending', startedAt: null, finishedAt: null };

export function stepProgress(state: OpenedRun, block: BlockRef, step: string): StepProgress {
  return state.steps[stepKey(block, step)] ?? freshStep;
}

export function blockProgress(state: OpenedRun, block: BlockRef): BlockProgress {
  return state.blocks[blockKey(block)] ?? freshBlock;
}

/** Whether the rollback has come to its end: what is left for the run is to close. */
export function isTakenBack(state: OpenedRun): boolean {
  return blockProgress(state, { kind: 'rollback' }).status === 'done';
}

/** The request that still waits for people or for its preparation. */
export function openGate(state: OpenedRun): Gate | undefined {
  return state.gates.find((g) => g.status === 'open' || g.status === 'preparing');
}

export function gateById(state: OpenedRun, id: number): Gate | undefined {
  return state.gates.find((g) => g.id === id);
}

/** The approval under which a block was started last, or under which a step of it was skipped since. */
export function approvalOf(state: OpenedRun, ref: BlockRef): Gate | undefined {
  return state.gates.findLast((g) => g.status === 'spent' && blockKey(g.cover.block) === blockKey(ref));
}

export function isChanging(state: OpenedRun, step: Step): boolean {
  return state.changing.includes(step.uses);
}

/** Whether a block has a step that changes something. */
export function blockHasChanges(state: OpenedRun, block: Block): boolean {
  return block.steps.some((step) => isChanging(state, step));
}

/**
 * Whether the checks after a failed step still run, so that one pass shows every problem: in blocks that change
 * nothing, and behind the first change of a block. Before it the first failure stops, and a change that failed
 * always does: what follows would check something that did not happen.
 */
export function checksGoOn(state: OpenedRun, block: Block, failed: Step): boolean {
  if (isChanging(state, failed)) return false;
  const first = block.steps.findIndex((s) => isChanging(state, s));
  return first === -1 || block.steps.indexOf(failed) > first;
}

/** The phases of this run; a run for one operation has none. */
export function phasesOf(state: OpenedRun): readonly Block[] {
  return state.purpose.kind === 'runbook' ? state.runbook.phases : [];
}

/** The first phase that is not done. */
export function nextPhase(state: OpenedRun): Block | undefined {
  return phasesOf(state).find((p) => blockProgress(state, { kind: 'phase', id: p.id }).status !== 'done');
}

export function currentBlock(state: OpenedRun): Block | undefined {
  return state.current === null ? undefined : findBlock(state.runbook, state.current);
}

/** Steps of the current block that failed or whose result nobody knows, in order. */
export function troubledSteps(state: OpenedRun): readonly Step[] {
  const { current } = state;
  const block = currentBlock(state);
  if (current === null || block === undefined) return [];
  return block.steps.filter((s) => {
    const { status } = stepProgress(state, current, s.id);
    return status === 'failed' || status === 'unknown';
  });
}

export function runningStep(state: OpenedRun): Step | undefined {
  const { current } = state;
  const block = currentBlock(state);
  if (current === null || block === undefined) return undefined;
  return block.steps.find((s) => stepProgress(state, current, s.id).status === 'running');
}

/**
 * What steps that passed, or were tried and then skipped, have executed on targets other than this one, oldest first. An approval for production
 * is asked for with what staging really did.
 */
export function executedElsewhere(state: OpenedRun, target: string): ExecutedElsewhere[] {
  const found = blocksOf(state).flatMap(([ref, block]) =>
    block.steps.flatMap((step) => {
      const { status, executed, startedAt } = stepProgress(state, ref, step.id);
      const on = targetOf(state.runbook, block, step);
      // One that was skipped afterwards may have left what its last attempt executed.
      const ran = status === 'passed' || (status === 'skipped' && executed !== null);
      if (!ran || !isChanging(state, step) || on === target) return [];
      return [{ at: startedAt ?? 0, each: { target: on, step: step.id, ...kindOf(step), executed } }];
    }),
  );
  return found.sort((a, b) => a.at - b.at).map(({ each }) => each);
}

const kindOf = (step: Step) => ({ uses: step.uses, with: step.with });

/** Every block of a run's runbook with its place, in the order in which people read them. */
export function blocksOf(state: OpenedRun): readonly (readonly [BlockRef, Block])[] {
  return [
    ...state.runbook.phases.map((p): [BlockRef, Block] => [{ kind: 'phase', id: p.id }, p]),
    ...state.runbook.operations.map((o): [BlockRef, Block] => [{ kind: 'operation', id: o.id }, o]),
    [{ kind: 'rollback' }, state.runbook.rollback],
  ];
}

/** Whether this run has started any step that changes a target. */
export function hasChanged(state: OpenedRun): boolean {
  return blocksOf(state).some(([ref, block]) =>
    block.steps.some((s) => isChanging(state, s) && stepProgress(state, ref, s.id).attempt > 0),
  );
}

export { freshBlock, freshStep };
