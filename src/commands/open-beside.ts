import { Operation } from '../runbook/definition.js';
import { withFloors } from '../runbook/policy.js';
import type { CommandContext } from './context.js';
import { openRun } from './open-run.js';
import type { Reply } from './reply.js';
import { requested } from './settle.js';

/** A change that a second person approves, and that has nothing to do with the migration. */
export interface BesideOperation {
  readonly id: string;
  /** Id of its step, which stands before each thing to know. */
  readonly step: string;
  readonly title: string;
  readonly on: string;
  readonly uses: string;
  readonly with: Readonly<Record<string, unknown>>;
  /** ms */
  readonly timeout: number;
  /** Said with a failure. */
  readonly onFailure: string;
}

const MOST_TITLE = 140;

/** Opens a run of this one operation: a copy of the runbook that knows no other. */
export function openBeside(
  context: CommandContext,
  command: string,
  what: string,
  operation: BesideOperation,
  /** Said with the receipt: why it needs an approval where it might have needed none. */
  why = '',
): Promise<Reply> {
  const { id, on, uses, timeout } = operation;
  const title =
    operation.title.length > MOST_TITLE ? `${operation.title.slice(0, MOST_TITLE - 1)}…` : operation.title;
  const block = Operation.parse({
    id,
    title,
    on,
    beside: true,
    gate: { approvals: 1 },
    steps: [
      { id: operation.step, title, uses, with: operation.with, timeout, 'on-failure': operation.onFailure },
    ],
  });
  return openRun(
    context,
    command,
    { kind: 'operation', id },
    '',
    (accepted) => `${requested(accepted, what)} ${why}`.trim(),
    (runbook) => withFloors({ ...runbook, operations: [block] }, context.floors),
  );
}
