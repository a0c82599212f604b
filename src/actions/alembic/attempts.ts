import type { StepContext } from '../../runbook/step-kind.js';

/** The folder of one attempt within the step: an id of a child is never used twice. */
export function attemptId(context: Pick<StepContext<unknown>, 'childId'>, attempt: number): string {
  return `${context.childId}/try-${attempt}`;
}
