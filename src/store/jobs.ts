import type { JobDecision } from '../runbook/jobs/decide.js';
import { decodeJobEvent, type JobEvent, NoticePosted } from '../runbook/jobs/events.js';
import { evolveJobs, initialJobs, type JobsState } from '../runbook/jobs/state.js';
import type { Refusal } from '../runbook/refusal.js';
import { firstTime, isRepeated } from './deliveries.js';
import { VersionConflict } from './errors.js';
import type { EventDraft, StoredEvent } from './event.js';
import type { Journal } from './journal.js';

export interface LoadedJobs {
  readonly state: JobsState;
  readonly version: number;
}

export type JobsExecuted =
  | {
      readonly kind: 'accepted';
      /** What was appended, decoded; empty when nothing changed or the delivery had its effect before. */
      readonly events: readonly JobEvent[];
      readonly state: JobsState;
      readonly version: number;
    }
  | Refusal;

/** The stream of one target's jobs. */
export interface JobsJournal {
  readonly target: string;
  /** The jobs as the journal has them now. */
  load(): Promise<LoadedJobs>;
  /**
   * Decides against the newest state and appends at the version it was decided at. When somebody else was first,
   * reads again and decides again, five times at most.
   * @param options.delivery the key of the delivery that asks for this: its second time appends nothing
   * @throws VersionConflict when the stream changed faster than it could be decided
   */
  execute(
    decide: (state: JobsState, now: number) => JobDecision,
    options?: { readonly delivery?: string },
  ): Promise<JobsExecuted>;
}

/** Any replica writes here, alarms at the end of each run among it, so a race is likelier than on a run. */
const tries = 5;

export function jobsStream(target: string): string {
  return `jobs:${target}`;
}

/** @param deps.now ms since the epoch, for the decisions; what stands in the journal has the journal's time */
export function createJobsJournal(deps: {
  readonly journal: Journal;
  readonly target: string;
  readonly now: () => number;
}): JobsJournal {
  const { journal, target, now } = deps;
  const stream = jobsStream(target);
  let known: LoadedJobs = { state: initialJobs, version: 0 };

  function remember(loaded: LoadedJobs): LoadedJobs {
    if (loaded.version > known.version) known = loaded;
    return loaded;
  }

  async function load(): Promise<LoadedJobs> {
    const from = known;
    return remember(foldJobs(from, await journal.read(stream, from.version)));
  }

  return {
    target,
    load,
    async execute(decide, { delivery } = {}) {
      for (let attempt = 1; ; attempt += 1) {
        const { state, version } = await load();
        const decision = decide(state, now());
        if (decision.kind === 'refused') return decision;
        if (decision.events.length === 0) return { kind: 'accepted', events: [], state, version };
        const events = decision.events.map(drafted);
        try {
          const stored = await journal.append([
            ...firstTime(delivery),
            { stream, expectedVersion: version, events },
          ]);
          const mine = stored.filter((event) => event.stream === stream);
          return {
            kind: 'accepted',
            events: decision.events,
            ...remember(foldJobs({ state, version }, mine)),
          };
        } catch (error) {
          if (isRepeated(error, delivery)) return { kind: 'accepted', events: [], ...(await load()) };
          if (!(error instanceof VersionConflict) || attempt >= tries) throw error;
        }
      }
    },
  };
}

/**
 * Appends what an outbox event wants to say, on a stream of its own that begins once.
 * @param event the outbox event's id
 * @returns false when it is there already, and nothing is appended
 */
export async function recordNotice(
  journal: Pick<Journal, 'append'>,
  target: string,
  event: number | string,
  notice: Omit<NoticePosted, 'type'>,
): Promise<boolean> {
  const stream = `notice:${target}:${event}`;
  const { type, ...data } = NoticePosted.parse({ type: 'NoticePosted', ...notice });
  try {
    await journal.append([{ stream, expectedVersion: 0, events: [{ type, data: { v: 1, ...data } }] }]);
    return true;
  } catch (error) {
    if (error instanceof VersionConflict) return false;
    throw error;
  }
}

/** Folds stored events onto a state. */
export function foldJobs(from: LoadedJobs, events: readonly StoredEvent[]): LoadedJobs {
  let { state, version } = from;
  for (const stored of events) {
    state = evolveJobs(state, decodeJobEvent(stored.type, stored.data), Date.parse(stored.at));
    version = stored.version;
  }
  return { state, version };
}

function drafted(event: JobEvent): EventDraft {
  const { type, ...fields } = event;
  return { type, data: { v: 1, ...fields }, actor: 'by' in event ? event.by : null };
}
