import { z } from 'zod';
import { Runbook } from './definition.js';
import { whatRan } from './executed.js';
import { Fingerprint } from './fingerprint.js';
import { Loss, Plan } from './planned.js';

export { Finding, Loss, Plan, PlannedSql, PlannedStep, PlannedTarget } from './planned.js';

/**
 * Everything that can happen to a run, in the past tense. The events are the state and the audit trail,
 * so each one is decoded strictly: a journal that this version cannot read must stop it, not confuse it.
 */

const BlockRefSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('phase'), id: z.string() }),
  z.strictObject({ kind: z.literal('operation'), id: z.string() }),
  z.strictObject({ kind: z.literal('rollback') }),
]);

/** Why a run exists: the whole runbook, one operation alone, or a rollback after an earlier run was closed. */
export const Purpose = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('runbook') }),
  z.strictObject({ kind: z.literal('operation'), id: z.string() }),
  z.strictObject({ kind: z.literal('rollback') }),
]);
export type Purpose = z.infer<typeof Purpose>;

/** What an approval is about: a block (from its first step, or from the step where it stopped), or one skip. */
export const Cover = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('block'),
    block: BlockRefSchema,
    /** First step to run; null means all of them. */
    from: z.string().nullable(),
    reason: z.string(),
  }),
  z.strictObject({
    kind: z.literal('skip'),
    block: BlockRefSchema,
    step: z.string(),
    reason: z.string(),
  }),
]);
export type Cover = z.infer<typeof Cover>;

/** The state of a target, read at the moment of the event. */
export const TargetState = z.strictObject({
  target: z.string(),
  /** One line for people, such as "at 022_m10_production_hardening". */
  summary: z.string(),
  revision: z.string().nullable(),
  reachable: z.boolean(),
});
export type TargetState = z.infer<typeof TargetState>;

export const StepResult = z.enum(['passed', 'failed', 'unknown']);
export type StepResult = z.infer<typeof StepResult>;

const stepRef = {
  block: BlockRefSchema,
  step: z.string(),
  /** Counts from 1 over the whole run, so that a child's folder and a message are never used twice. */
  attempt: z.int().min(1),
};

/** A replica's state directory, by its identity, and the host that it was on. */
export const Where = z.strictObject({ directory: z.string(), host: z.string() });
export type Where = z.infer<typeof Where>;

/** How a command reached the bot, for the record. */
export const Via = z.enum(['command', 'button', 'reaction', 'reconciled']);
export type Via = z.infer<typeof Via>;

const by = z.string();

export const RunEvent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('RunOpened'),
    run: z.int(),
    purpose: Purpose,
    runbook: Runbook,
    digest: z.string(),
    channel: z.string(),
    by,
    /** Which step kinds change something: recorded, so that the rule does not move under an open run. */
    changing: z.array(z.string()),
  }),
  z.strictObject({
    type: z.literal('ApprovalRequested'),
    gate: z.int(),
    cover: Cover,
    by,
    via: Via,
  }),
  z.strictObject({ type: z.literal('GatePreparationFailed'), gate: z.int(), reason: z.string() }),
  z.strictObject({
    type: z.literal('GateOpened'),
    gate: z.int(),
    needs: z.int().min(1),
    /** The approver lists that count, by name; empty means every approver. */
    from: z.array(z.string()),
    /** Who could approve when the gate opened; each one is looked up again later. */
    eligible: z.array(z.string()),
    expiresAt: z.number(),
    fingerprint: Fingerprint,
    plan: Plan,
  }),
  z.strictObject({
    type: z.literal('ApprovalGiven'),
    gate: z.int(),
    by,
    emoji: z.string(),
    via: Via,
  }),
  /** Slack gave no answer about people who reacted, or about the message itself; nothing is decided, it is asked again. */
  z.strictObject({
    type: z.literal('LookupFailed'),
    gate: z.int(),
    users: z.array(z.string()),
    why: z.string(),
  }),
  z.strictObject({ type: z.literal('ApprovalWithdrawn'), gate: z.int(), by, why: z.string() }),
  z.strictObject({
    type: z.literal('ReactionRejected'),
    gate: z.int(),
    by,
    emoji: z.string(),
    code: z.string(),
    why: z.string(),
  }),
  /** Its message was gone from the channel and is posted again; what stood on the old one does not count. */
  z.strictObject({ type: z.literal('GateReposted'), gate: z.int(), lost: z.string() }),
  z.strictObject({ type: z.literal('GateRefused'), gate: z.int(), by, via: Via }),
  z.strictObject({ type: z.literal('GateExpired'), gate: z.int() }),
  z.strictObject({ type: z.literal('GateCancelled'), gate: z.int(), by, why: z.string() }),
  z.strictObject({ type: z.literal('GateVoided'), gate: z.int(), diff: z.array(z.string()) }),
  z.strictObject({
    type: z.literal('GateSpent'),
    gate: z.int(),
    approvers: z.array(z.string()),
    digest: z.string(),
  }),
  /** Asked right before a change, Slack did not show the approvals that the journal holds. */
  z.strictObject({
    type: z.literal('ApprovalNotConfirmed'),
    /** null: the journal holds no approval for it at all. */
    gate: z.int().nullable(),
    block: BlockRefSchema,
    step: z.string(),
    why: z.string(),
  }),
  z.strictObject({ type: z.literal('BlockStarted'), block: BlockRefSchema, from: z.string().nullable() }),
  z.strictObject({
    type: z.literal('StepStarted'),
    ...stepRef,
    target: z.string(),
    /** Where the records of what it starts are kept. Absent in journals of earlier releases. */
    where: Where.optional(),
  }),
  z.strictObject({
    type: z.literal('StepFinished'),
    ...stepRef,
    result: StepResult,
    summary: z.string(),
    /** The output that a person would want to see first, cut with a note. */
    output: z.string(),
    /** The output was longer: where the whole of it lies, relative to the bot's state directory. */
    outputFile: z.string().nullable(),
    /** Facts that later steps use (a backup's path and digest). */
    data: z.record(z.string(), z.json()),
    durationMs: z.number(),
    /** The result was found by the probe after a crash. */
    recovered: z.boolean(),
    ...whatRan,
  }),
  z.strictObject({ type: z.literal('StepSkipped'), ...stepRef, gate: z.int(), reason: z.string() }),
  z.strictObject({ type: z.literal('StepRetried'), block: BlockRefSchema, step: z.string(), by, via: Via }),
  z.strictObject({
    type: z.literal('FailureAssessed'),
    block: BlockRefSchema,
    step: z.string(),
    attempt: z.int(),
    /** Further steps that did not pass, in order: one question for all of them. */
    others: z.array(z.strictObject({ step: z.string(), attempt: z.int() })).optional(),
    targets: z.array(TargetState),
    loss: z.array(Loss),
    notes: z.array(z.string()),
  }),
  z.strictObject({
    type: z.literal('StopRequested'),
    by,
    reason: z.string(),
    /** End the running step too, instead of letting it finish. */
    now: z.boolean(),
    via: Via,
  }),
  z.strictObject({ type: z.literal('RunResumed'), by, via: Via }),
  z.strictObject({ type: z.literal('BlockFinished'), block: BlockRefSchema }),
  z.strictObject({
    type: z.literal('CommandRefused'),
    by,
    command: z.string(),
    code: z.string(),
    why: z.string(),
    instead: z.string(),
  }),
  /** Outside any run: a head that was noted elsewhere is not in the journal any more. */
  z.strictObject({
    type: z.literal('JournalMismatch'),
    place: z.enum(['file', 'channel']),
    position: z.int(),
    noted: z.string(),
    /** The hash that stands there now; null when the journal ends before, at `end`. */
    found: z.string().nullable(),
    end: z.int(),
  }),
  z.strictObject({
    type: z.literal('PlanShown'),
    by,
    runbook: z.string(),
    plan: Plan,
  }),
  z.strictObject({
    type: z.literal('RunClosed'),
    by,
    outcome: z.enum(['verified', 'rolled-back', 'operation-done', 'closed']),
    reason: z.string(),
    targets: z.array(TargetState),
  }),
]);
export type RunEvent = z.infer<typeof RunEvent>;
export type RunEventType = RunEvent['type'];
export type EventOf<T extends RunEventType> = Extract<RunEvent, { type: T }>;

/** Who holds a target: the stream `target:<name>`. */
export const TargetEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('TargetClaimed'), target: z.string(), run: z.int() }),
  z.strictObject({ type: z.literal('TargetReleased'), target: z.string(), run: z.int() }),
]);
export type TargetEvent = z.infer<typeof TargetEvent>;

/** Thrown when the journal holds an event that this version cannot read. */
export class UndecodableEvent extends Error {
  override readonly name = 'UndecodableEvent';
}

/**
 * Reads a run's event as the journal stores it. `v` is the shape's version: 1 today; a later shape adds a
 * branch here that lifts the older ones, and old events are never rewritten.
 * @throws UndecodableEvent
 */
export function decodeRunEvent(type: string, data: unknown): RunEvent {
  const { v, ...rest } = z.looseObject({ v: z.int().default(1) }).parse(data);
  if (v !== 1) {
    throw new UndecodableEvent(`${type} has shape ${v}; this version reads shape 1. Start a newer m10bot.`);
  }
  const parsed = RunEvent.safeParse({ type, ...rest });
  if (!parsed.success) {
    throw new UndecodableEvent(`${type} cannot be read: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

/** The journal's form of an event: its type, and its fields with the shape's version. */
export function encodeEvent(event: RunEvent | TargetEvent): { type: string; data: Record<string, unknown> } {
  const { type, ...fields } = event;
  return { type, data: { v: 1, ...fields } };
}
