import { setTimeout as sleep } from 'node:timers/promises';
import type { Slack } from '../clients/slack.js';
import type { Cursors } from '../store/cursors.js';
import type { Held } from '../store/held.js';
import type { Journal } from '../store/journal.js';
import { createLeaseKeeper } from '../store/keeper.js';
import type { Leases } from '../store/leases.js';
import type { Posted } from '../store/posted.js';
import type { Log } from './log.js';
import { createDeliver } from './publish/deliver.js';
import { createDeliverFile } from './publish/deliver-file.js';
import { createLane, type Lane, type LaneSpec } from './publish/lane.js';
import { cardLane, filesLane, outputsLane, threadLane, urgentLane } from './publish/lanes.js';
import { createPacer } from './publish/pacer.js';
import { createPatience } from './publish/patience.js';
import type { ReadOutput } from './publish/thread.js';
import { slackTiming, type Timing } from './publish/timing.js';
import { createTrying } from './publish/trying.js';
import { createWakeUp } from './publish/wake-up.js';

export interface PublisherDeps {
  readonly journal: Journal;
  readonly posted: Posted;
  readonly cursors: Cursors;
  readonly held: Held;
  readonly leases: Leases;
  /** A client of the publisher's own: its waiting must hold up nobody else. */
  readonly slack: Slack;
  /** Id of the incident channel. */
  readonly incidentChannel: string;
  readonly redact: (text: string) => string;
  readonly log: Log;
  /** Unique to this life of this process. */
  readonly owner: string;
  /** Reads a step's output file; the path is relative to the state directory. */
  readonly readOutput: ReadOutput;
  readonly timing?: Partial<Timing>;
}

export interface Publisher {
  /** Begins to publish as soon as no other replica does. */
  start(): void;
  /** The journal has grown: look now. */
  wake(): void;
  /** Whether this replica is the one that publishes. */
  publishing(): boolean;
  /** Ends after the call that is under way; what is left is posted at the next start. */
  close(): Promise<void>;
}

/** The name of the lease that the one publishing replica holds. */
export const PUBLISHER_LEASE = 'publisher';

/**
 * Tells Slack what the journal says. The journal is the outbox: lanes read it with cursors of their own, so what
 * people wait for goes before what can be read later, and an outage of Slack delays both and loses neither. A
 * channel that takes nothing, such as an archived one, is left behind and caught up with, in order, when it does. A message is noted under its key when it stands; one that may stand without being noted
 * (a crash, a lost answer) is looked for in Slack before it is posted again.
 */
export function createPublisher(deps: PublisherDeps): Publisher {
  const { log, leases, owner } = deps;
  const timing: Timing = { ...slackTiming, ...deps.timing };
  const trying = createTrying(log, timing, deps.slack);
  const wakeUp = createWakeUp();
  const closing = new AbortController();
  let term = new AbortController();
  const keeper = createLeaseKeeper({
    leases,
    name: PUBLISHER_LEASE,
    owner,
    ttlMs: timing.lease,
    onLost: (reason) => {
      log.warn({ reason }, 'another replica publishes from here on');
      term.abort(new Error(reason));
    },
  });

  const delivery = {
    ...deps,
    slack: guarded(deps.slack, () => keeper.epoch() !== undefined),
    timing,
    trying,
    pacer: createPacer(),
  };
  const deliver = createDeliver(delivery);
  const lanes = { ...deps, deliver, deliverFile: createDeliverFile({ ...delivery, deliver }) };
  const walks = { ...deps, patience: createPatience(timing) };

  /** One lane, until the lease is lost or the publisher is closed. */
  async function follow(lane: Lane, every: number, signal: AbortSignal): Promise<void> {
    let failures = 0;
    // Whoever published before may have died between posting and noting.
    let doubtful = true;
    while (!signal.aborted) {
      const seen = wakeUp.count();
      try {
        const worked = await lane.pass(doubtful, signal);
        failures = 0;
        if (worked) {
          doubtful = false;
          // The other lanes may go as far as this one has come.
          wakeUp.wake();
          if (every > 0) await sleep(every, undefined, { signal });
        } else await wakeUp.wait(seen, timing.poll, signal);
      } catch (error) {
        if (signal.aborted) return;
        doubtful = true;
        failures += 1;
        await trying.pause(failures, error, signal).catch(() => {});
      }
    }
  }

  async function publishForATerm(): Promise<void> {
    term = new AbortController();
    const answer = await keeper.acquire();
    if (answer.kind === 'refused') {
      await sleep(timing.lease / 3, undefined, { signal: closing.signal });
      return;
    }
    log.info({ epoch: answer.epoch }, 'this replica publishes to Slack');
    const signal = AbortSignal.any([term.signal, closing.signal]);
    const lane = (spec: LaneSpec, every = 0) => follow(createLane(walks, spec), every, signal);
    await Promise.all([
      lane(urgentLane(lanes)),
      lane(filesLane(lanes)),
      lane(threadLane(lanes)),
      lane(outputsLane(lanes)),
      lane(cardLane(lanes), timing.cardEvery),
    ]);
  }

  async function publish(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        await publishForATerm();
        failures = 0;
      } catch (error) {
        failures += 1;
        await trying.pause(failures, error, closing.signal).catch(() => {});
      }
    }
    await keeper.release().catch((error: unknown) => log.warn({ error }, 'the lease was not given back'));
  }

  let done: Promise<void> | undefined;
  return {
    start() {
      done ??= publish();
    },
    wake: wakeUp.wake,
    publishing: () => keeper.epoch() !== undefined,
    async close() {
      closing.abort(new Error('the publisher is closed'));
      await done;
    },
  };
}

/** Calls Slack only under the lease: a process that was frozen past its end finds out before it posts. */
function guarded(slack: Slack, holds: () => boolean): Slack {
  const check = () => {
    if (!holds()) throw new Error('this replica no longer holds the lease to publish');
  };
  return {
    async call(method, args) {
      check();
      return slack.call(method, args);
    },
    async share(file) {
      check();
      return slack.share(file);
    },
  };
}
