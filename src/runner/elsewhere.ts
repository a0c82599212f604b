import { type ExecutedElsewhere, wholeExecuted } from '../runbook/executed.js';
import type { Digest } from '../runbook/fingerprint.js';
import { executedElsewhere, type OpenedRun } from '../runbook/state.js';

/** Reads what was kept beside the journal, relative to the state directory; null when it is not there (any more). */
export type ReadKept = (path: string) => Promise<string | null>;

export type Elsewhere = (state: OpenedRun, target: string) => Promise<ExecutedElsewhere[]>;

/**
 * What steps that passed executed on other targets, with the whole list of each where the journal has a part. A list
 * that is not at hand, or is not the one of the record, stays cut, which shows by its count.
 */
export function createElsewhere(deps: { readonly readKept: ReadKept; readonly digest: Digest }): Elsewhere {
  return (state, target) =>
    Promise.all(
      executedElsewhere(state, target).map(async (each) => {
        const { executed } = each;
        if (executed?.file === undefined) return each;
        const text = await deps.readKept(executed.file);
        const whole = text === null ? null : wholeExecuted(executed, text, deps.digest);
        return whole === null ? each : { ...each, executed: whole };
      }),
    );
}
