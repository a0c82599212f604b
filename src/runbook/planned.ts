import { z } from 'zod';
import { ExecutedStatement } from './executed.js';

/** A finding about the SQL that will run, most dangerous first. */
export const Finding = z.strictObject({
  rank: z.enum(['data-loss', 'blocking', 'advice']),
  rule: z.string(),
  message: z.string(),
  line: z.int().nullable(),
  statement: z.string(),
});
export type Finding = z.infer<typeof Finding>;

/** The SQL one step would send, as its tool prints it beforehand; empty where it could print none. */
export const PlannedSql = z.strictObject({
  step: z.string(),
  target: z.string(),
  from: z.string(),
  to: z.string(),
  /** Every revision that would run, in order. */
  revisions: z.array(z.string()),
  sql: z.string(),
  sha256: z.string(),
  findings: z.array(Finding),
  /** What the same step executed on another target of this run beyond this SQL, all of it. */
  unprinted: z
    .array(
      z.strictObject({
        target: z.string(),
        statements: z.array(ExecutedStatement),
        findings: z.array(Finding),
      }),
    )
    .optional(),
});
export type PlannedSql = z.infer<typeof PlannedSql>;

export const PlannedStep = z.strictObject({
  id: z.string(),
  title: z.string(),
  target: z.string(),
  uses: z.string(),
  changes: z.boolean(),
  /** What the step does, in one sentence. */
  words: z.string(),
  /** The exact commands or queries, redacted. */
  commands: z.array(z.string()),
});
export type PlannedStep = z.infer<typeof PlannedStep>;

export type PlannedTarget = z.infer<typeof PlannedTarget>;
export const PlannedTarget = z.strictObject({
  target: z.string(),
  database: z.string(),
  revision: z.string().nullable(),
});

/** A step that was skipped: who asked, who approved, why. */
export const LeftOut = z.strictObject({
  /** The block's key, such as `phase:staging`. */
  block: z.string(),
  step: z.string(),
  title: z.string(),
  target: z.string(),
  changes: z.boolean(),
  by: z.string(),
  approvers: z.array(z.string()),
  reason: z.string(),
});
export type LeftOut = z.infer<typeof LeftOut>;

/** How much of something a rollback would throw away. */
export const Loss = z.strictObject({
  label: z.string(),
  target: z.string(),
  /** null: it could not be counted, `note` says why. */
  count: z.number().nullable(),
  note: z.string(),
});
export type Loss = z.infer<typeof Loss>;

/** What is shown at a gate. */
export const Plan = z.strictObject({
  /** What cannot be shown or verified: said before everything else. */
  headline: z.array(z.string()).optional(),
  steps: z.array(PlannedStep),
  targets: z.array(PlannedTarget),
  sql: z.array(PlannedSql),
  /** Steps of this run that were skipped before, and have not passed since. */
  leftOut: z.array(LeftOut).optional(),
  /** What a rollback would lose, as counted when the request was made; not covered, since counts go on moving. */
  loss: z.array(Loss).optional(),
  /** Things an approver must know first, such as a statement outside the transaction or an accepted failure. */
  warnings: z.array(z.string()),
});
export type Plan = z.infer<typeof Plan>;
