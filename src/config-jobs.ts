import cron from 'node-cron';
import { z } from 'zod';
import { CommandArgs } from './checks/command/arguments.js';
import { Duration, parseDuration } from './runbook/definition.js';
import type { JobName } from './runbook/jobs/names.js';
import { isZone } from './zone.js';

/** The section `jobs` of `m10.yml`: which jobs run, when, and how. */

export const TimeZone = z.string().refine(isZone, 'expected a time zone such as Europe/Berlin or UTC');

const Schedule = z
  .string('expected a cron expression, in quotes')
  .refine((text) => cron.validate(text), 'expected a cron expression such as "*/10 * * * *", in quotes');

/** Ages of rows go beyond what a timer can wait for, so they are not limited like other durations. */
const Age = z.string('expected an age with its unit, such as 36h or 30d').transform((text, ctx) => {
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  ctx.addIssue({
    code: 'custom',
    message: `expected an age with its unit, such as 36h or 30d, found ${JSON.stringify(text)}`,
  });
  return z.NEVER;
});

/**
 * A host that events may be sent to: `hooks.example.com`, `10.0.0.5:8443`, `*.example.com` (any depth below it), or
 * a network such as `10.20.0.0/16`. Without a port every port is meant. A name may lead to public addresses only,
 * unless the address it leads to is on the list too; `localhost` may lead to this machine.
 */
const AllowedHost = z
  .string()
  .regex(
    /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$|^[0-9a-f.:]+\/\d{1,3}$/,
    'expected a host in small letters, such as hooks.example.com, *.example.com or 10.0.0.5:8443, or a network such as 10.20.0.0/16',
  );

const common = (schedule: string, timeout: number) => ({
  /** Five fields, or six with seconds in front. */
  schedule: Schedule.default(schedule),
  timezone: TimeZone.optional(),
  /** A run is ended after this, ms. */
  timeout: Duration.default(timeout),
  /** The team's own program in place of the built-in job, judged like a step of kind `command`. */
  command: CommandArgs.optional(),
  /** Arguments that make the program show what it would do and change nothing; without them it has no dry run. */
  'dry-run': z.array(z.string().min(1)).min(1).optional(),
});

const minute = 60_000;
const day = 24 * 60 * minute;

/** Where events of one type go: a fixed address, or a program that gets the event as JSON on its input. */
const Handler = z.union([
  z.strictObject({ url: z.url({ protocol: /^https?$/, error: 'expected a URL such as https://host/path' }) }),
  z.strictObject({ argv: z.tuple([z.string().min(1)], z.string()), timeout: Duration.default(30_000) }),
]);

const Outbox = z.strictObject({
  ...common('*/30 * * * * *', 10 * minute),
  batch: z.int().min(1).max(1_000).default(100),
  /** Whether a trigger in the target may wake the processor at each new event; it is made where the role may. */
  listen: z.boolean().default(false),
  /** Tries before an event becomes a dead letter. */
  attempts: z.int().min(1).max(20).default(5),
  backoff: z
    .strictObject({ first: Duration.default(30_000), most: Duration.default(60 * minute) })
    .prefault({}),
  http: z
    .strictObject({
      /** Empty: no event is sent anywhere. */
      allow: z.array(AllowedHost).default([]),
      concurrency: z.int().min(1).max(200).default(10),
      timeout: Duration.default(30_000),
      /** Signs each body: HMAC-SHA256. */
      secret: z.string().min(16, 'expected a secret of at least 16 characters').optional(),
    })
    .prefault({}),
  /** Channels that `notify:` events may name; the incident channel is always one. */
  'notify-channels': z
    .array(z.string().regex(/^[CG][A-Z0-9_]{2,}$/, 'expected the id of a channel'))
    .default([]),
  /** By event type, or by prefix with a colon at its end, such as `audit:`. */
  handlers: z.record(z.string().min(1), Handler).default({}),
  /** What the channel is told about, as the alerts do. */
  alert: z
    .strictObject({ lag: Duration.default(300_000), pending: z.int().min(1).default(1_000) })
    .prefault({}),
});

export const JobsFile = z.strictObject({
  target: z.string('expected the name of a target').min(1),
  timezone: TimeZone.default('UTC'),
  /** Programs that retire the timers which ran these jobs before, in order; run in the target's directory. */
  retire: z.array(z.tuple([z.string().min(1)], z.string())).default([]),
  'outbox-processor': Outbox.prefault({}),
  'dl-reconcile': z.strictObject(common('*/10 * * * *', 10 * minute)).prefault({}),
  'matview-refresh': z
    .strictObject({
      ...common('*/5 * * * *', 5 * minute),
      view: z
        .string()
        .regex(/^[a-z_][a-z0-9_]*$/)
        .default('mv_top_pending'),
    })
    .prefault({}),
  'retention-cleanup': z
    .strictObject({
      ...common('0 3 * * 0', 60 * minute),
      /** Stops deleting after this and says so; the next run goes on, ms. */
      budget: Duration.default(10 * minute),
      batch: z.int().min(1).max(10_000).default(1_000),
      'dead-letter-archive': Age.default(90 * day),
      'replay-log': Age.default(30 * day),
      outbox: Age.default(7 * day),
    })
    .prefault({}),
  'reclaim-gc': z.strictObject(common('0 * * * *', 5 * minute)).prefault({}),
});
export type JobsFile = z.infer<typeof JobsFile>;
export type OutboxConfig = z.infer<typeof Outbox>;
export type OutboxHandler = z.infer<typeof Handler>;
export type RetentionConfig = JobsFile['retention-cleanup'];

/** The section as the bot uses it: every job has its time zone. */
export type JobsConfig = Omit<JobsFile, JobName> & {
  readonly [J in JobName]: Omit<JobsFile[J], 'timezone'> & { readonly timezone: string };
};

export function jobsConfig(read: JobsFile): JobsConfig {
  const zone = <J extends { timezone?: string | undefined }>(job: J) => ({
    ...job,
    timezone: job.timezone ?? read.timezone,
  });
  return {
    ...read,
    'outbox-processor': zone(read['outbox-processor']),
    'dl-reconcile': zone(read['dl-reconcile']),
    'matview-refresh': zone(read['matview-refresh']),
    'retention-cleanup': zone(read['retention-cleanup']),
    'reclaim-gc': zone(read['reclaim-gc']),
  };
}
