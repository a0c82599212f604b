import type { Cursors } from '../../store/cursors.js';
import type { StoredEvent } from '../../store/event.js';
import { BEHIND, type Held, type HeldBack } from '../../store/held.js';
import type { Journal } from '../../store/journal.js';
import type { Delivered, DeliverOptions } from './deliver.js';
import { createFolding, type Folding } from './folding.js';
import type { Patience } from './patience.js';
import { createReader } from './reader.js';

/** Something to be posted, made from one event or from some that follow each other. */
export interface Task {
  /** Where it goes; further ones take it when that one does not. */
  readonly channels: readonly [string, ...string[]];
  /** The first event that it tells of. */
  readonly first: StoredEvent;
  /** The position of the last one. */
  readonly through: number;
  deliver(options: DeliverOptions): Promise<Delivered>;
}

/** What one lane posts, and how. */
export interface LaneSpec {
  readonly name: string;
  /** The lane that must have handled an event before this one may: what this one posts belongs to that. */
  readonly behind: string | null;
  readonly urgent: boolean;
  /** What these events are to become, in the order of the journal. */
  plan(events: readonly StoredEvent[], folding: Folding): Promise<Task[]>;
}

/** One pass of a lane over the journal. */
export interface Lane {
  readonly name: string;
  /**
   * Handles what is there now.
   * @param doubtful whoever handled this before may have posted without noting it
   * @returns whether there was anything
   */
  pass(doubtful: boolean, signal: AbortSignal): Promise<boolean>;
}

export interface LaneDeps {
  readonly journal: Journal;
  readonly cursors: Cursors;
  readonly held: Held;
  readonly patience: Patience;
  readonly redact: (text: string) => string;
}

/**
 * A lane goes along the journal with a cursor of its own. A channel that takes nothing is left behind with a
 * position of its own, and the lane goes on for the others; once the channel takes something again, everything
 * from there on is posted, in order.
 */
export function createLane(deps: LaneDeps, spec: LaneSpec): Lane {
  const { journal, cursors, held, patience } = deps;
  const { name, behind, urgent } = spec;
  const reader = createReader(name, journal, cursors);
  const folding = createFolding(journal, deps.redact);

  /** How far this lane may go for a channel. */
  async function limits(): Promise<(channel: string) => number> {
    if (behind === null) return () => Number.POSITIVE_INFINITY;
    const cursor = await cursors.get(behind);
    const stopped = await held.of(behind);
    return (channel) => stopped.get(channel)?.position ?? cursor;
  }

  const refused = (channel: string, task: Task, why: { code: string; waiting: number }) =>
    held.refused({
      lane: name,
      channel,
      position: task.first.position - 1,
      stream: task.first.stream,
      version: task.first.version,
      ...why,
    });

  /** Everything of a channel that was left behind. */
  async function plannedFor(channel: string, from: number, to: number): Promise<Task[]> {
    const events: StoredEvent[] = [];
    for (let at = from; ; ) {
      const batch = await reader.read(at, to);
      const last = batch.at(-1);
      if (last === undefined) break;
      events.push(...batch);
      at = last.position;
    }
    // A folding of its own: the lane's own one stands at the end of the runs, not at what was left behind.
    const tasks = await spec.plan(events, createFolding(journal, deps.redact));
    return tasks.filter((task) => task.channels.includes(channel));
  }

  /** @returns whether something was posted, or nothing is left */
  async function catchUp(row: HeldBack, to: number, options: DeliverOptions): Promise<boolean> {
    const { channel } = row;
    const tasks = await plannedFor(channel, row.position, to);
    let doubtful = options.doubtful;
    for (const [index, task] of tasks.entries()) {
      options.signal.throwIfAborted();
      const waiting = tasks.length - index;
      const outcome = await task.deliver({ ...options, doubtful });
      doubtful = false;
      if (outcome.kind === 'closed') {
        patience.refused(channel);
        await refused(channel, task, { code: outcome.code, waiting });
        return index > 0;
      }
      await held.move(name, channel, outcome.through, waiting - 1);
      // It stands already and tells of other events than these: the rest is planned anew.
      if (outcome.through !== task.through) return true;
    }
    if (tasks.length > 0) patience.opened(channel);
    if (to < (await reader.position())) {
      await held.move(name, channel, to, Math.max(0, row.waiting - tasks.length));
      return tasks.length > 0;
    }
    await held.release(name, channel);
    return true;
  }

  async function catchUpAll(
    rows: ReadonlyMap<string, HeldBack>,
    at: number,
    options: DeliverOptions,
  ): Promise<boolean> {
    let worked = false;
    const limit = await limits();
    for (const row of rows.values()) {
      const to = Math.min(at, limit(row.channel));
      if (to <= row.position || !patience.due(row.channel)) continue;
      worked = (await catchUp(row, to, options)) || worked;
    }
    return worked;
  }

  async function leave(channel: string, task: Task, code: string, closed: Set<string>): Promise<void> {
    if (closed.has(channel)) return held.add(name, channel, 1);
    await refused(channel, task, { code, waiting: 1 });
    closed.add(channel);
  }

  /** A new task: posted, or left behind with what is there already. */
  async function handle(
    task: Task,
    closed: Set<string>,
    limit: (channel: string) => number,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const [channel, ...others] = task.channels;
    const kept: Delivered = { kind: 'stands', through: task.through };
    if (others.length === 0 && closed.has(channel)) {
      await held.add(name, channel, 1);
      return kept;
    }
    if (task.through > limit(channel)) {
      await leave(channel, task, BEHIND, closed);
      return kept;
    }
    const outcome = await task.deliver(options);
    if (outcome.kind === 'stands') return outcome;
    patience.refused(outcome.channel);
    await leave(outcome.channel, task, outcome.code, closed);
    return kept;
  }

  return {
    name,
    async pass(doubtfulAtFirst, signal) {
      let at = await reader.position();
      const options = { doubtful: doubtfulAtFirst, urgent, signal };
      const caughtUp = await catchUpAll(await held.of(name), at, options);
      const limit = await limits();
      const batch = await reader.read(at, behind === null ? limit('') : await cursors.get(behind));
      const last = batch.at(-1);
      if (last === undefined) return caughtUp;
      const advance = async (to: number) => {
        if (to <= at) return;
        await reader.advance(at, to);
        at = to;
      };
      const closed = new Set((await held.of(name)).keys());
      const began = at;
      for (const task of await spec.plan(batch, folding)) {
        await advance(task.first.position - 1);
        signal.throwIfAborted();
        const doubtful = doubtfulAtFirst && at === began;
        const outcome = await handle(task, closed, limit, { doubtful, urgent, signal });
        if (outcome.kind === 'stands' && outcome.through !== task.through) {
          await advance(outcome.through);
          return true;
        }
      }
      await advance(last.position);
      return true;
    },
  };
}
