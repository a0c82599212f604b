import type { StoredEvent } from '../../store/event.js';
import type { Posted } from '../../store/posted.js';
import { renderCard } from '../render/card.js';
import { piecesThatFit, renderThread } from '../render/thread.js';
import type { Deliver, Delivered, DeliverOptions } from './deliver.js';
import type { DeliverFile } from './deliver-file.js';
import type { Folding, SeenEvent } from './folding.js';
import { jobOperations } from './jobs.js';
import { cardKey } from './keys.js';
import type { LaneSpec, Task } from './lane.js';
import type { FileOperation, MessageOperation, ThreadWork } from './operation.js';
import { publisherCursors } from './reader.js';
import { outputAttachments, planAttachments, type ReadOutput, threadWork } from './thread.js';
import { originOf, urgentOperations } from './urgent.js';

export interface LanesDeps {
  readonly posted: Posted;
  readonly deliver: Deliver;
  readonly deliverFile: DeliverFile;
  readonly readOutput: ReadOutput;
  readonly redact: (text: string) => string;
  /** Where jobs are told of, and what has no channel of its own. */
  readonly incidentChannel: string;
}

/** Messages that people wait for, strictly in the order of the journal. */
export function urgentLane(deps: LanesDeps): LaneSpec {
  async function operationsOf(stored: StoredEvent, folding: Folding): Promise<MessageOperation[]> {
    const ofJobs = jobOperations(stored, deps);
    if (ofJobs !== null) return ofJobs;
    const seen = await folding.see(stored);
    return seen === null ? [] : urgentOperations(seen);
  }

  /** @param newest the same message, as it is to be at the last of these events */
  async function deliver(operation: MessageOperation, newest: MessageOperation, options: DeliverOptions) {
    // A message that changes several times shows the last state at once: nobody is asked what is answered.
    if (newest !== operation && (await deps.posted.get(operation.key)) !== undefined) {
      return stands(operation.origin.through);
    }
    const origin = { ...newest.origin, at: operation.origin.at };
    return through(operation.origin.through, await deps.deliver({ ...newest, origin }, options));
  }

  return {
    name: publisherCursors.urgent,
    behind: null,
    urgent: true,
    async plan(events, folding) {
      const planned: { first: StoredEvent; operation: MessageOperation }[] = [];
      for (const first of events) {
        for (const operation of await operationsOf(first, folding)) planned.push({ first, operation });
      }
      const last = new Map(planned.map(({ operation }) => [operation.key, operation]));
      return planned.map(({ first, operation }): Task => {
        const newest = operation.mode === 'current' ? (last.get(operation.key) ?? operation) : operation;
        return {
          channels: [operation.channel, ...(operation.otherwise === undefined ? [] : [deps.incidentChannel])],
          first,
          through: operation.origin.through,
          deliver: (options) => deliver(operation, newest, options),
        };
      });
    },
  };
}

/** Files that a request or a plan attaches, as soon as its message stands. */
export function filesLane(deps: LanesDeps): LaneSpec {
  return {
    name: publisherCursors.files,
    behind: publisherCursors.urgent,
    urgent: true,
    plan: (events, folding) => fileTasks(events, folding, deps, planAttachments),
  };
}

/** Whole outputs, below the results that announce them. A file that Slack does not take keeps no message waiting. */
export function outputsLane(deps: LanesDeps): LaneSpec {
  return {
    name: publisherCursors.outputs,
    behind: publisherCursors.thread,
    urgent: false,
    plan: (events, folding) =>
      fileTasks(events, folding, deps, (seen) => outputAttachments(seen, deps.readOutput)),
  };
}

async function fileTasks(
  events: readonly StoredEvent[],
  folding: Folding,
  { deliverFile }: Pick<LanesDeps, 'deliverFile'>,
  filesOf: (seen: SeenEvent) => readonly FileOperation[],
): Promise<Task[]> {
  const tasks: Task[] = [];
  for (const first of events) {
    const seen = await folding.see(first);
    for (const file of seen === null ? [] : filesOf(seen)) {
      tasks.push({
        channels: [file.channel],
        first,
        through: first.position,
        deliver: async (options) => through(first.position, await deliverFile(file, options)),
      });
    }
  }
  return tasks;
}

/** Results in threads; what comes close together in one thread becomes one message. */
export function threadLane({ deliver }: LanesDeps): LaneSpec {
  return {
    name: publisherCursors.thread,
    behind: publisherCursors.urgent,
    urgent: false,
    async plan(events, folding) {
      const groups: { first: StoredEvent; works: ThreadWork[] }[] = [];
      for (const stored of events) {
        const seen = await folding.see(stored);
        const work = seen === null ? null : threadWork(seen);
        if (work === null) continue;
        const group = groups.at(-1);
        if (group !== undefined && joins(group.works, work)) group.works.push(work);
        else groups.push({ first: stored, works: [work] });
      }
      return groups.flatMap(({ first, works }) => groupTask(first, works, deliver));
    },
  };
}

function groupTask(first: StoredEvent, works: readonly ThreadWork[], deliver: Deliver): Task[] {
  const [head] = works;
  if (head === undefined) return [];
  const end = works.at(-1)?.origin.position ?? first.position;
  const operation: MessageOperation = {
    key: head.key,
    channel: head.channel,
    parent: head.parent,
    message: renderThread(works.map((work) => work.piece)),
    mode: 'once',
    origin: { ...head.origin, through: end },
  };
  return [
    { channels: [head.channel], first, through: end, deliver: (options) => deliver(operation, options) },
  ];
}

/** Whether an event's piece goes into the message of those before it. */
function joins(group: readonly ThreadWork[], work: ThreadWork): boolean {
  const before = group.at(-1);
  if (before === undefined) return true;
  // The file with its output stands right below it.
  if (before.announces || before.parent !== work.parent || before.channel !== work.channel) return false;
  const pieces = [...group, work].map((each) => each.piece);
  return piecesThatFit(pieces) === pieces.length;
}

/** Run cards: each pass shows the newest state, however many events led to it. */
export function cardLane({ posted, deliver }: LanesDeps): LaneSpec {
  return {
    name: publisherCursors.cards,
    behind: publisherCursors.urgent,
    urgent: false,
    async plan(events, folding) {
      const touched = new Map<number, SeenEvent>();
      for (const stored of events) {
        const seen = await folding.see(stored);
        if (seen === null || seen.run === null) continue;
        touched.delete(seen.run);
        touched.set(seen.run, seen);
      }
      return [...touched].map(([run, seen]): Task => {
        const { position } = seen.stored;
        return {
          channels: [seen.channel],
          first: seen.stored,
          through: position,
          async deliver(options) {
            const { after } = seen;
            if (after.kind === 'none' || (await posted.get(cardKey(run))) === undefined)
              return stands(position);
            const card: MessageOperation = {
              key: cardKey(run),
              channel: seen.channel,
              message: renderCard(after),
              mode: 'current',
              origin: originOf(seen),
            };
            const urgent = after.closed !== null;
            return through(position, await deliver(card, { ...options, doubtful: false, urgent }));
          },
        };
      });
    },
  };
}

const stands = (position: number): Delivered => ({ kind: 'stands', through: position });

/** A message that shows more than was asked for leaves the events in between to their own messages. */
function through(position: number, outcome: Delivered): Delivered {
  return outcome.kind === 'stands' ? stands(position) : outcome;
}
