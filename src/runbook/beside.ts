import { type Block, findBlock, type Runbook, targetOf } from './definition.js';
import type { Purpose } from './events.js';

/** What a run is for, and the runbook that says what that means. */
export interface Intent {
  readonly runbook: Runbook;
  readonly purpose: Purpose;
}

/**
 * What a run beside the migration holds in place of its target, so that it neither waits for the migration's run
 * nor keeps one out, and two of them exclude each other. No target has a colon in its name.
 */
const mark = ':m10';

export const besideHold = (target: string): string => `${target}${mark}`;

export const isBesideHold = (held: string): boolean => held.endsWith(mark);

/** The target of a hold, of either sort. */
export const targetOfHold = (held: string): string =>
  isBesideHold(held) ? held.slice(0, -mark.length) : held;

/** Whether a run changes nothing of the migration, and so may be open while another one migrates its target. */
export function standsBeside({ runbook, purpose }: Intent): boolean {
  return purpose.kind === 'operation' && runbook.operations.find((o) => o.id === purpose.id)?.beside === true;
}

/** The targets that a run works on: all of its runbook's, or those of its one block. */
export function workedTargets({ runbook, purpose }: Intent): string[] {
  if (purpose.kind === 'runbook') return [...runbook.targets];
  const block = findBlock(runbook, purpose);
  return block === undefined ? [...runbook.targets] : targetsOf(runbook, block);
}

function targetsOf(runbook: Runbook, block: Block): string[] {
  return [...new Set(block.steps.map((step) => targetOf(runbook, block, step)))];
}
