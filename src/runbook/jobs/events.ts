import { z } from 'zod';
import { UndecodableEvent, Via } from '../events.js';
import { jobNames } from './names.js';

/**
 * What happens to the jobs of a target, on its stream `jobs:<target>`. Runs by the schedule are not here: they
 * are many, and are kept in a table of their own. Here is what people did, and what people are told.
 */

const Job = z.enum(jobNames);
const by = z.string();
/** The run whose step did it; null for a person's command. */
const run = z.int().nullable();

/** What the channel is told about a job, each at its own moments. */
export const JobAlarm = z.enum(['failing', 'overdue', 'lag']);
export type JobAlarm = z.infer<typeof JobAlarm>;

/** How one run of a job ended. `skipped`: another worker has its lock, or what it needs is not there. */
export const JobOutcome = z.enum(['passed', 'failed', 'skipped', 'lost']);
export type JobOutcome = z.infer<typeof JobOutcome>;

/** What a job does, as named parts: short texts and digests, like those of a gate's fingerprint. */
export const JobParts = z.record(z.string(), z.string());
export type JobParts = z.infer<typeof JobParts>;

/** The parts of each of the jobs that an event is about. */
const PartsByJob = z.partialRecord(Job, JobParts);
export type PartsByJob = z.infer<typeof PartsByJob>;

/** The approval under which schedules were switched on. */
export const ScheduleApproval = z.strictObject({
  run: z.int(),
  gate: z.int(),
  approvers: z.array(z.string()).min(1),
});
export type ScheduleApproval = z.infer<typeof ScheduleApproval>;

export const JobEvent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('JobsPaused'),
    jobs: z.array(Job).min(1),
    by,
    reason: z.string(),
    run,
    via: Via,
  }),
  z.strictObject({
    type: z.literal('JobsResumed'),
    jobs: z.array(Job).min(1),
    by,
    reason: z.string(),
    run,
    via: Via,
    /** Absent in events from before schedules were approved. */
    approval: ScheduleApproval.optional(),
    /** What each of these jobs does, as it was approved. */
    parts: PartsByJob.optional(),
  }),
  /** Schedules that are on without an approval were found: what they do now is what they are compared with. */
  z.strictObject({ type: z.literal('SchedulesUnapproved'), jobs: z.array(Job).min(1), parts: PartsByJob }),
  /** What a job does is not what was approved, or found: its schedule is switched off. */
  z.strictObject({
    type: z.literal('ScheduleVoided'),
    job: Job,
    /** Whether it had been approved. */
    approved: z.boolean(),
    /** What differs, one line each. */
    diff: z.array(z.string()).min(1),
  }),
  z.strictObject({
    type: z.literal('JobRunRequested'),
    /** Counts from 1 over the target. */
    request: z.int().min(1),
    job: Job,
    by,
    dryRun: z.boolean(),
    via: Via,
  }),
  z.strictObject({
    type: z.literal('JobRunFinished'),
    request: z.int().min(1),
    job: Job,
    by,
    dryRun: z.boolean(),
    outcome: JobOutcome,
    summary: z.string(),
    /** Figures by name. */
    counts: z.record(z.string(), z.number()),
    /** Lines worth reading; cut with a note. */
    output: z.string(),
    /** What can be done about a failure; empty otherwise. */
    advice: z.string(),
    durationMs: z.number(),
  }),
  /** Something is wrong with a job, or still is. */
  z.strictObject({
    type: z.literal('JobAlarmRaised'),
    job: Job,
    alarm: JobAlarm,
    /** Failures in a row; 0 for the other alarms. */
    failures: z.int().min(0),
    summary: z.string(),
    error: z.string(),
    /** What can be done now. */
    advice: z.string(),
  }),
  /** It is well again. */
  z.strictObject({
    type: z.literal('JobAlarmCleared'),
    job: Job,
    alarm: JobAlarm,
    summary: z.string(),
  }),
  /** A change outside any run that needs no approval, such as clearing expired locks. */
  z.strictObject({
    type: z.literal('OperationStarted'),
    /** Counts from 1 over the target. */
    operation: z.int().min(1),
    /** What is done, in words. */
    what: z.string(),
    by,
    via: Via,
    /** The delivery that asked for it: handled again after a crash, it goes on with this operation. */
    delivery: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('OperationFinished'),
    operation: z.int().min(1),
    what: z.string(),
    by,
    result: z.enum(['passed', 'failed', 'unknown']),
    summary: z.string(),
    output: z.string(),
    durationMs: z.number(),
  }),
]);
export type JobEvent = z.infer<typeof JobEvent>;
export type JobEventType = JobEvent['type'];
export type JobEventOf<T extends JobEventType> = Extract<JobEvent, { type: T }>;

/**
 * A text that an outbox event wants in a channel, on the stream `notice:<target>:<event id>`, which begins once:
 * an event that is delivered again adds nothing.
 */
export const NoticePosted = z.strictObject({
  type: z.literal('NoticePosted'),
  channel: z.string(),
  text: z.string(),
  /** What it comes from, such as `outbox event 7 (notify:ops)`. */
  source: z.string(),
});
export type NoticePosted = z.infer<typeof NoticePosted>;

/**
 * Reads an event of a jobs stream as the journal stores it.
 * @throws UndecodableEvent
 */
export function decodeJobEvent(type: string, data: unknown): JobEvent {
  return decode(JobEvent, type, data);
}

/** @throws UndecodableEvent */
export function decodeNotice(type: string, data: unknown): NoticePosted {
  return decode(NoticePosted, type, data);
}

function decode<T>(schema: z.ZodType<T>, type: string, data: unknown): T {
  const { v, ...rest } = z.looseObject({ v: z.int().default(1) }).parse(data);
  if (v !== 1) {
    throw new UndecodableEvent(`${type} has shape ${v}; this version reads shape 1. Start a newer m10bot.`);
  }
  const parsed = schema.safeParse({ type, ...rest });
  if (!parsed.success) throw new UndecodableEvent(`${type} cannot be read: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
