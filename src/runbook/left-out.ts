import { blockKey, targetOf } from './definition.js';
import type { LeftOut } from './planned.js';
import { blocksOf, gateById, isChanging, type OpenedRun, stepProgress } from './state.js';

/**
 * The steps of a run that were skipped and have not been run since, in the runbook's order. A step that was run
 * again is no longer skipped: its result says what is so.
 */
export function leftOut(state: OpenedRun): LeftOut[] {
  return blocksOf(state).flatMap(([ref, block]) =>
    block.steps.flatMap((step): LeftOut[] => {
      const { status, summary, skippedUnder } = stepProgress(state, ref, step.id);
      if (status !== 'skipped') return [];
      const gate = skippedUnder === null ? undefined : gateById(state, skippedUnder);
      return [
        {
          block: blockKey(ref),
          step: step.id,
          title: step.title,
          target: targetOf(state.runbook, block, step),
          changes: isChanging(state, step),
          by: gate?.requestedBy ?? '',
          approvers: gate?.approvals.map((a) => a.by) ?? [],
          reason: summary,
        },
      ];
    }),
  );
}

/**
 * The part of a fingerprint for what was left out: a skip between a request and its start voids the request.
 * Nothing while nothing was skipped.
 */
export function leftOutPart(skips: readonly LeftOut[]): Record<string, string> {
  if (skips.length === 0) return {};
  return { 'left out': skips.map((s) => `${s.block}/${s.step} (${s.reason})`).join(', ') };
}
