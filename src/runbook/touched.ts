import { targetOf } from './definition.js';
import { blocksOf, isChanging, type OpenedRun, stepProgress } from './state.js';

/** Targets on which this run has started a step that changes something, whatever became of it. */
export function touchedTargets(state: OpenedRun): ReadonlySet<string> {
  const touched = blocksOf(state).flatMap(([ref, block]) =>
    block.steps
      .filter((step) => isChanging(state, step) && stepProgress(state, ref, step.id).startedAt !== null)
      .map((step) => targetOf(state.runbook, block, step)),
  );
  return new Set(touched);
}
