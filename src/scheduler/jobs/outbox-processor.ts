import { randomBytes } from 'node:crypto';
import { leasedBy } from '../../clients/m10/outbox.js';
import { describeFailure } from '../../clients/postgres/failure.js';
import type { Processes } from '../../clients/process.js';
import type { OutboxConfig } from '../../config-jobs.js';
import { type Job, type JobContext, JobFailure, type JobResult } from '../job.js';
import type { JobObserver } from '../observe.js';
import { preferIndexes } from '../outbox/claim.js';
import { BURY } from '../outbox/complete.js';
import { createDeliver } from '../outbox/deliver.js';
import { drain } from '../outbox/drain.js';
import { createHttpSender, type Resolve } from '../outbox/http.js';
import type { Notice } from '../outbox/notify.js';
import { preview } from '../outbox/preview.js';
import { createRouter, type LocalHandler } from '../outbox/route.js';
import { createTally, type Tally } from '../outbox/tally.js';
import { createWindow } from '../outbox/window.js';

export interface OutboxProcessorDeps {
  readonly config: Pick<
    OutboxConfig,
    'batch' | 'attempts' | 'backoff' | 'http' | 'notify-channels' | 'handlers'
  >;
  /** Id of the channel that `notify:` events without one go to. */
  readonly channel: string;
  /** Posts a notice; the same event may come again, and is posted once. */
  readonly notice: (notice: Notice) => Promise<void>;
  readonly processes: Processes;
  /** Errors pass it on their way into `last_error`. */
  readonly redact?: (text: string) => string;
  /** Handlers in this process, by type or prefix with a colon: no I/O, their transaction is open meanwhile. */
  readonly handlers?: Readonly<Record<string, LocalHandler>>;
  readonly observer?: Pick<JobObserver, 'outbox' | 'archived'>;
  /** From 0 to below 1; spreads retries. */
  readonly random?: () => number;
  readonly resolve?: Resolve;
}

/** What may pass between the end of a delivery's time and the end of its lease, ms. */
const MARGIN_MS = 15_000;

/**
 * Delivers the events of `m10_recovery.outbox`, each at least once, those of one aggregate in their order, until
 * nothing is due. A delivery that fails is tried again later, and becomes a dead letter in the end; the job itself
 * fails only when its own work does: the database, or the archive of dead letters.
 */
export function createOutboxProcessor(deps: OutboxProcessorDeps): Job {
  return {
    name: 'outbox-processor',
    lock: 'm10:outbox_processor',
    ttlSeconds: 300,
    needs: {
      tables: {
        outbox: [
          'id',
          'aggregate_type',
          'aggregate_id',
          'event_type',
          'payload',
          'created_at',
          'processed_at',
          'processed_by',
          'retry_count',
          'last_error',
          'next_retry_at',
        ],
        dead_letter_archive: ['dl_msg_id', 'payload', 'reason'],
      },
      calls: { archive_dead_letter: BURY.text },
      privileges: { outbox: ['SELECT', 'UPDATE'] },
    },
    run: (context) => run(deps, context),
  };
}

async function run(deps: OutboxProcessorDeps, context: JobContext): Promise<JobResult> {
  const { config } = deps;
  const { database, lock } = context;
  const router = createRouter(config.handlers, deps.handlers ?? {});
  const tally = createTally(deps.observer, 'outbox-processor');
  if (context.dryRun) {
    return failing(tally, () => preview(database, router, config.http.allow));
  }
  const redact = deps.redact ?? context.redact;
  const http = createHttpSender({
    ...config.http,
    secret: config.http.secret,
    redact,
    timeoutMs: config.http.timeout,
    now: context.now,
    resolve: deps.resolve,
  });
  const longest = longestDelivery(deps);
  const window = createWindow({
    concurrency: config.http.concurrency,
    needsMs: longest + MARGIN_MS,
    deliver: createDeliver({
      router,
      http,
      processes: deps.processes,
      target: context.target,
      channels: [deps.channel, ...config['notify-channels']],
      notice: deps.notice,
      redact,
    }),
  });
  // Of this run alone: what an earlier run left on lease is not ours.
  const lease = leasedBy(`${lock.holder}/${randomBytes(4).toString('hex')}`);
  const leaseMs = 2 * (longest + MARGIN_MS);
  const lost = new Set<string>();
  const stopped = () => context.signal.aborted || !lock.held();
  const batch = { batch: config.batch, localTypes: router.localTypes };
  try {
    const unburied = await failing(tally, async () => {
      await preferIndexes(database);
      return drain({
        database,
        window,
        concurrency: config.http.concurrency,
        claim: { ...batch, by: lease },
        local: { database, router, claim: { ...batch, by: lock.holder }, lease, leaseMs, stopped },
        settle: {
          database,
          tally,
          attempts: config.attempts,
          backoff: config.backoff,
          random: deps.random ?? Math.random,
          by: lock.holder,
          lease,
          lost,
        },
        leaseMs,
        stopped,
      });
    });
    if (lost.size > 0) {
      context.log.warn(
        { events: [...lost].slice(0, 20), count: lost.size },
        'events were changed by others while they were delivered, so they may be delivered again',
      );
    }
    if (unburied.length > 0) {
      throw new JobFailure(`${tally.summary()} ${unburied[0]}`, {
        advice:
          'The event stays in the outbox and is tried again. See that m10_recovery.archive_dead_letter works for the role of the jobs.',
        counts: tally.counts,
        output: [...unburied, tally.output()].join('\n'),
      });
    }
    return { summary: tally.summary(), counts: tally.counts, output: tally.output() };
  } finally {
    // After a failure their ends could not be written down; the leases run out, and they are delivered again.
    await window.abort();
    await http.close();
  }
}

/** The longest that one delivery may take, ms. */
function longestDelivery({ config }: OutboxProcessorDeps): number {
  const programs = Object.values(config.handlers).flatMap((h) => ('argv' in h ? [h.timeout] : []));
  return Math.max(config.http.timeout, ...programs);
}

/** Turns what the database refuses into a failure of the job, with what was done until then. */
async function failing<T>(tally: Tally, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = describeFailure(error);
    const message = error instanceof Error ? error.message : String(error);
    const lost = failure?.kind === 'connection_lost';
    throw new JobFailure(
      `The outbox could not be processed to its end: ${message}. Until then: ${tally.summary()}`,
      {
        advice: lost
          ? 'Nothing is lost: the next run goes on, and events that were on their way are delivered again once their lease has run out. See whether the database can be reached.'
          : 'Nothing is lost: the next run begins where this one ended. See what the database refused.',
        counts: tally.counts,
        output: tally.output(),
        cause: error,
      },
    );
  }
}
