import type { Cursors } from '../../store/cursors.js';
import type { StoredEvent } from '../../store/event.js';
import type { Journal } from '../../store/journal.js';
import type { Posted } from '../../store/posted.js';
import { renderCard } from '../render/card.js';
import { piecesThatFit, renderThread } from '../render/thread.js';
import type { Deliver } from './deliver.js';
import type { DeliverFile } from './deliver-file.js';
import { createFolding, type SeenEvent } from './folding.js';
import { jobOperations } from './jobs.js';
import { cardKey } from './keys.js';
import type { MessageOperation, ThreadWork } from './operation.js';
import { createReader, publisherCursors } from './reader.js';
import { planAttachments, type ReadOutput, threadWork } from './thread.js';
import { originOf, urgentOperations } from './urgent.js';

export interface LaneDeps {
  readonly journal: Journal;
  readonly cursors: Cursors;
  readonly posted: Posted;
  readonly deliver: Deliver;
  readonly deliverFile: DeliverFile;
  readonly readOutput: ReadOutput;
  readonly redact: (text: string) => string;
  /** Where jobs are told of, and what has no channel of its own. */
  readonly incidentChannel: string;
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

/** Messages that people wait for, strictly in the order of the journal. */
export function createUrgentLane(deps: LaneDeps): Lane {
  const reader = createReader(publisherCursors.urgent, deps.journal, deps.cursors);
  const folding = createFolding(deps.journal, deps.redact);

  async function operationsOf(stored: StoredEvent): Promise<MessageOperation[]> {
    const ofJobs = jobOperations(stored, deps);
    if (ofJobs !== null) return ofJobs;
    const seen = await folding.see(stored);
    return seen === null ? [] : urgentOperations(seen);
  }

  return {
    name: publisherCursors.urgent,
    async pass(doubtfulAtFirst, signal) {
      let doubtful = doubtfulAtFirst;
      let at = await reader.position();
      const batch = await reader.read(at, Number.POSITIVE_INFINITY);
      const planned: { position: number; operations: MessageOperation[] }[] = [];
      for (const stored of batch) {
        planned.push({ position: stored.position, operations: await operationsOf(stored) });
      }
      for (const [index, { position, operations }] of planned.entries()) {
        if (operations.length === 0) continue;
        const later = new Set(planned.slice(index + 1).flatMap((p) => p.operations.map((o) => o.key)));
        for (const operation of operations) {
          // A message that stands already and is about to change again is updated once, at the last change.
          const superseded = operation.mode === 'current' && later.has(operation.key);
          if (superseded && (await deps.posted.get(operation.key)) !== undefined) continue;
          signal.throwIfAborted();
          await deps.deliver(operation, { doubtful, urgent: true, signal });
        }
        doubtful = false;
        await reader.advance(at, position);
        at = position;
      }
      const last = batch.at(-1);
      if (last === undefined) return false;
      await reader.advance(at, last.position);
      return true;
    },
  };
}

/** Files that a request or a plan attaches, as soon as its message stands. */
export function createFilesLane(deps: LaneDeps): Lane {
  const reader = createReader(publisherCursors.files, deps.journal, deps.cursors);
  const folding = createFolding(deps.journal, deps.redact);
  return {
    name: publisherCursors.files,
    async pass(doubtful, signal) {
      const from = await reader.position();
      const batch = await reader.read(from, await deps.cursors.get(publisherCursors.urgent));
      const last = batch.at(-1);
      if (last === undefined) return false;
      for (const stored of batch) {
        const seen = await folding.see(stored);
        for (const file of seen === null ? [] : planAttachments(seen)) {
          await deps.deliverFile(file, { doubtful, urgent: true, signal });
        }
      }
      await reader.advance(from, last.position);
      return true;
    },
  };
}

/** Results in threads; what comes close together in one thread becomes one message. */
export function createThreadLane(deps: LaneDeps): Lane {
  const { cursors, deliver, deliverFile } = deps;
  const reader = createReader(publisherCursors.thread, deps.journal, cursors);
  const folding = createFolding(deps.journal, deps.redact);
  return {
    name: publisherCursors.thread,
    async pass(doubtful, signal) {
      const from = await reader.position();
      const batch = await reader.read(from, await cursors.get(publisherCursors.urgent));
      const last = batch.at(-1);
      if (last === undefined) return false;
      const group: ThreadWork[] = [];
      // Everything before this position needs nothing, or belongs to the group.
      let handled = last.position;
      for (const stored of batch) {
        const seen = await folding.see(stored);
        const work = seen === null ? null : threadWork(seen, deps.readOutput);
        if (work === null) continue;
        if (!joins(group, work)) {
          handled = stored.position - 1;
          break;
        }
        group.push(work);
      }
      const through = await deliverGroup(group, { doubtful, urgent: false, signal });
      // A message found in Slack may tell of fewer events than this group; the next pass has the others.
      const to =
        through === undefined ? handled : through < lastOf(group) ? through : Math.max(handled, through);
      await reader.advance(from, to);
      return true;
    },
  };

  async function deliverGroup(group: readonly ThreadWork[], options: Parameters<Deliver>[1]) {
    const first = group[0];
    if (first === undefined) return undefined;
    const pieces = group.flatMap((work) => (work.piece === null ? [] : [work.piece]));
    let through = lastOf(group);
    if (pieces.length > 0) {
      const delivered = await deliver(
        {
          key: first.key,
          channel: first.channel,
          parent: first.parent,
          message: renderThread(pieces),
          mode: 'once',
          origin: { ...first.origin, through },
        },
        options,
      );
      through = delivered.through;
    }
    const told = group.filter((work) => work.origin.position <= through);
    for (const file of told.flatMap((work) => work.files)) await deliverFile(file, options);
    return through;
  }
}

const lastOf = (group: readonly ThreadWork[]) => group.at(-1)?.origin.position ?? 0;

/** Whether an event's piece goes into the message of those before it. Files stand below what they belong to. */
function joins(group: readonly ThreadWork[], work: ThreadWork): boolean {
  const before = group.at(-1);
  if (before === undefined) return true;
  if (before.piece === null || work.piece === null || before.files.length > 0) return false;
  if (before.parent !== work.parent || before.channel !== work.channel) return false;
  const pieces = [...group, work].flatMap((w) => (w.piece === null ? [] : [w.piece]));
  return piecesThatFit(pieces) === pieces.length;
}

/** Run cards: each pass shows the newest state, however many events led to it. */
export function createCardLane(deps: LaneDeps): Lane {
  const { cursors, posted, deliver } = deps;
  const reader = createReader(publisherCursors.cards, deps.journal, cursors);
  const folding = createFolding(deps.journal, deps.redact);
  return {
    name: publisherCursors.cards,
    async pass(_doubtful, signal) {
      const from = await reader.position();
      const batch = await reader.read(from, await cursors.get(publisherCursors.urgent));
      const last = batch.at(-1);
      if (last === undefined) return false;
      const touched = new Map<number, SeenEvent>();
      for (const stored of batch) {
        const seen = await folding.see(stored);
        if (seen !== null && seen.run !== null) touched.set(seen.run, seen);
      }
      for (const [run, seen] of touched) {
        if (seen.after.kind === 'none' || (await posted.get(cardKey(run))) === undefined) continue;
        await deliver(
          {
            key: cardKey(run),
            channel: seen.channel,
            message: renderCard(seen.after),
            mode: 'current',
            origin: originOf(seen),
          },
          { doubtful: false, urgent: seen.after.closed !== null, signal },
        );
      }
      await reader.advance(from, last.position);
      return true;
    },
  };
}
