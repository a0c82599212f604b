import { z } from 'zod';
import { RunbookFile } from './runbook/definition.js';

const Word = z.string().catch('');
const MaybeWord = z.string().optional().catch(undefined);

const StepParts = z
  .object({
    id: Word,
    on: MaybeWord,
    /** Empty: there is no kind that can be read. */
    uses: Word,
    /** null: no arguments that can be read. */
    with: z.record(z.string(), z.unknown()).nullable().default({}).catch(null),
  })
  .catch({ id: '', on: undefined, uses: '', with: null });

const blockParts = {
  id: Word,
  on: MaybeWord,
  gate: z
    .union([z.literal('none'), z.object({ from: MaybeWord })])
    .nullable()
    .catch(null),
  steps: z.array(StepParts).catch([]),
  'without-approval': z.array(z.string()).optional().catch(undefined),
};
const noBlock = { id: '', on: undefined, gate: null, steps: [] };
const BlockParts = z.object(blockParts).catch(noBlock);

const { migration } = RunbookFile.shape;

/**
 * As much of a runbook as its steps, targets and lists are held against each other by. Every part reads by itself:
 * a mistake in one, which the runbook's own shape tells, hides none of the others.
 */
export const RunbookParts = z.object({
  targets: z.array(z.string()).catch([]),
  migration: migration.nullable().catch(null),
  phases: z.array(BlockParts).catch([]),
  operations: z.array(BlockParts).catch([]),
  rollback: z
    .object({ ...blockParts, loss: z.array(z.object({ on: MaybeWord }).catch({ on: undefined })).catch([]) })
    .catch({ ...noBlock, loss: [] }),
});
export type RunbookParts = z.infer<typeof RunbookParts>;
export type BlockParts = z.infer<typeof BlockParts>;
export type StepParts = z.infer<typeof StepParts>;

/** Parts without anything, for a file that is not even keys and values. */
export const noParts: RunbookParts = {
  targets: [],
  migration: null,
  phases: [],
  operations: [],
  rollback: { ...noBlock, loss: [] },
};
