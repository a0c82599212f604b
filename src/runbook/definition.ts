import { z } from 'zod';

/** Names people type in Slack and read in messages: lower case, digits, dot, dash, underscore. */
const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'expected a name of letters, digits, ".", "-" or "_", 64 at most');

const durationWords = 'expected a duration with its unit, such as 30s, 15m or 2h';
const durationPattern = /^(\d+)(ms|s|m|h|d)$/;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads a duration such as `30m`.
 * @returns milliseconds, or null when the text is not a duration
 */
export function parseDuration(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null) return null;
  const unit = match[2] as keyof typeof unitMs;
  return Number(match[1]) * unitMs[unit];
}

/** The longest wait, ms: a timer of more than 24.8 days would fire at once. */
const longestMs = 14 * unitMs.d;

/**
 * A duration as people write it (`30s`, `15m`, `2h`), parsed to milliseconds. A number without a unit is refused:
 * whoever writes `30` means seconds or minutes, and would get a request that lives for 30 ms.
 */
export const Duration = z
  .string(durationWords)
  .regex(durationPattern, durationWords)
  .transform((text, ctx) => {
    const ms = parseDuration(text);
    if (ms !== null && ms > 0 && ms <= longestMs) return ms;
    const message = ms === null || ms <= 0 ? durationWords : 'expected at most 14d';
    ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

/** The form in which a run keeps its runbook in the journal: milliseconds. Never read from a file. */
const StoredDuration = z.union([Duration, z.int().positive()]);

const Revisions = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)], 'expected a revision, or a list of them')
  .transform((given) => (typeof given === 'string' ? given : given.join(', ')));

/** One thing a rollback would throw away, counted at the moment the question is asked. */
export const LossMeter = z.strictObject({
  label: z.string().min(3).max(100),
  on: Name,
  /** A query with one row and one number. */
  sql: z.string().min(8),
});
export type LossMeter = z.infer<typeof LossMeter>;

/**
 * The shapes of a runbook, which a file and the journal share: they differ in how a duration is written.
 * @param duration reads one, to milliseconds
 */
function shapes<D extends typeof Duration | typeof StoredDuration>(duration: D) {
  const policy = z.strictObject({
    /** How many people besides the requester must approve. */
    approvals: z.int().min(1).max(10).default(1),
    /** Name of an approver list in the configuration; all approvers when absent. */
    from: Name.optional(),
    /** How long the request lives, ms. */
    expires: duration.default(30 * 60_000),
  });
  const step = z.strictObject({
    id: Name,
    title: z.string().min(3).max(140),
    /** The target; the phase's own when absent. */
    on: Name.optional(),
    uses: z.string().min(1),
    with: z.record(z.string(), z.unknown()).default({}),
    /** Wall time after which the step is ended, ms. */
    timeout: duration.default(10 * 60_000),
    /** Shown with a failure: what it means and what can be done. */
    'on-failure': z.string().max(600).optional(),
  });
  const blockFields = {
    id: Name,
    title: z.string().min(3).max(140),
    on: Name.optional(),
    /** `none` is allowed for blocks of checks only: a change always needs a second person. */
    gate: z.union([z.literal('none'), policy]),
    steps: z.array(step).min(1),
    /** In a block with `gate: none`, the steps that start a program of the team's own all the same. */
    'without-approval': z.array(Name).optional(),
  };
  const block = z.strictObject(blockFields);
  const operation = z.strictObject({
    ...blockFields,
    /** Changes nothing of the migration: its run may be open beside the one that migrates the same target. */
    beside: z.boolean().optional(),
  });
  const runbook = z.strictObject({
    $schema: z.string().optional(),
    runbook: Name,
    title: z.string().min(3).max(140),
    /** Targets that a run of this runbook holds, in the order in which they change. */
    targets: z.array(Name).min(1),
    /** Shown on the run's card; several revisions for a database with several heads. */
    migration: z.strictObject({ from: Revisions, to: Revisions }),
    phases: z.array(block).min(1),
    operations: z.array(operation).default([]),
    rollback: z.strictObject({ ...blockFields, loss: z.array(LossMeter).default([]) }),
  });
  return { policy, step, block, operation, runbook };
}

const written = shapes(Duration);
const stored = shapes(StoredDuration);

/** What a gate asks for. Targets and phases may both set it; the stricter one holds. */
export const GatePolicy = written.policy;
export type GatePolicy = z.infer<typeof GatePolicy>;

/** A step as people write it. */
export const StepFile = written.step;
/** A block as people write it. */
export const BlockFile = written.block;
/** A runbook as people write it. */
export const RunbookFile = written.runbook;

export type Step = z.infer<typeof stored.step>;

/** Steps that are approved together: a phase, an operation or the rollback. */
export type Block = z.infer<typeof stored.block>;

/** A block that people ask for by name, whenever it is needed. */
export const Operation = stored.operation;
export type Operation = z.infer<typeof Operation>;

/** A runbook as a run keeps it in the journal, with durations in milliseconds. */
export const Runbook = stored.runbook;
export type Runbook = z.infer<typeof Runbook>;

/** The target a step works on. */
export function targetOf(
  runbook: Pick<Runbook, 'targets'>,
  block: { readonly on?: string | undefined },
  step: { readonly on?: string | undefined },
): string {
  return step.on ?? block.on ?? runbook.targets.at(-1) ?? '';
}

export function blocksOf(runbook: Runbook): Block[] {
  return [...runbook.phases, ...runbook.operations, runbook.rollback];
}

/** Whether a step runs as soon as an operator asks for it, with nobody's approval. */
export function isUngated(runbook: Runbook, step: Step): boolean {
  const block = blocksOf(runbook).find((one) => one.steps.includes(step));
  return block?.gate === 'none';
}

/** Steps that start a program of the team's own with nobody's approval, as the runbook says. */
export function ungatedPrograms(runbook: Runbook): Step[] {
  return blocksOf(runbook).flatMap((block) => {
    const named = block['without-approval'] ?? [];
    return block.gate === 'none' ? block.steps.filter((step) => named.includes(step.id)) : [];
  });
}

/** Where a block stands in its runbook; `rollback` is a block like the others. */
export type BlockRef =
  | { readonly kind: 'phase'; readonly id: string }
  | { readonly kind: 'operation'; readonly id: string }
  | { readonly kind: 'rollback' };

export function findBlock(runbook: Runbook, ref: BlockRef): Block | undefined {
  switch (ref.kind) {
    case 'phase':
      return runbook.phases.find((p) => p.id === ref.id);
    case 'operation':
      return runbook.operations.find((o) => o.id === ref.id);
    case 'rollback':
      return runbook.rollback;
  }
}

/** A short key for a block, used in step keys and message keys. */
export function blockKey(ref: BlockRef): string {
  return ref.kind === 'rollback' ? 'rollback' : `${ref.kind}:${ref.id}`;
}
