import { type BlockRef, blockKey } from '../../runbook/definition.js';
import { decodeRunEvent, type EventOf, type RunEvent } from '../../runbook/events.js';
import { evolve } from '../../runbook/evolve.js';
import { initialState, type RunState } from '../../runbook/state.js';
import type { StoredEvent } from '../../store/event.js';
import type { Journal } from '../../store/journal.js';
import { runOfStream } from '../../store/runs.js';
import { redactDeep } from './redact-deep.js';

/** An event with the state of its run on both sides of it. */
export interface SeenEvent {
  readonly stored: StoredEvent;
  readonly event: RunEvent;
  /** null for an event outside any run. */
  readonly run: number | null;
  readonly channel: string;
  readonly before: RunState;
  readonly after: RunState;
  /** The failed result of an attempt, with its output. */
  failure(block: BlockRef, step: string, attempt: number): EventOf<'StepFinished'> | undefined;
}

export interface Folding {
  /** Null for streams that nobody is told about. */
  see(stored: StoredEvent): Promise<SeenEvent | null>;
}

interface Folded {
  readonly state: RunState;
  readonly version: number;
  readonly failures: ReadonlyMap<string, EventOf<'StepFinished'>>;
}

const nothing: Folded = { state: initialState, version: 0, failures: new Map() };
const KEPT = 50;

/**
 * Follows runs event by event. Every text passes the redactor before anything is rendered from it, whole,
 * so that no secret slips through because a cut went through its middle.
 */
export function createFolding(journal: Journal, redact: (text: string) => string): Folding {
  const cache = new Map<number, Folded>();

  function decode(stored: StoredEvent): RunEvent {
    return decodeRunEvent(stored.type, redactDeep(stored.data, redact));
  }

  function step(from: Folded, stored: StoredEvent, event: RunEvent): Folded {
    const failed = event.type === 'StepFinished' && event.result !== 'passed';
    return {
      state: evolve(from.state, event, { at: Date.parse(stored.at), position: stored.position }),
      version: stored.version,
      failures: failed
        ? new Map(from.failures).set(failureKey(event.block, event.step, event.attempt), event)
        : from.failures,
    };
  }

  /** The run as it was just before this version. */
  async function upTo(run: number, stream: string, version: number): Promise<Folded> {
    const known = cache.get(run);
    if (known !== undefined && known.version === version - 1) return known;
    let folded = known !== undefined && known.version < version ? known : nothing;
    for (const earlier of await journal.read(stream, folded.version)) {
      if (earlier.version >= version) break;
      folded = step(folded, earlier, decode(earlier));
    }
    return folded;
  }

  return {
    async see(stored) {
      const run = runOfStream(stored.stream);
      if (run === null) {
        const channel = /^desk:(.+)$/.exec(stored.stream)?.[1];
        if (channel === undefined) return null;
        const event = decode(stored);
        const state = initialState;
        return { stored, event, run, channel, before: state, after: state, failure: () => undefined };
      }
      const before = await upTo(run, stored.stream, stored.version);
      const event = decode(stored);
      const after = step(before, stored, event);
      cache.delete(run);
      cache.set(run, after);
      const oldest = cache.keys().next();
      if (cache.size > KEPT && !oldest.done) cache.delete(oldest.value);
      if (after.state.kind === 'none') return null;
      return {
        stored,
        event,
        run,
        channel: after.state.channel,
        before: before.state,
        after: after.state,
        failure: (block, id, attempt) => after.failures.get(failureKey(block, id, attempt)),
      };
    },
  };
}

function failureKey(block: BlockRef, step: string, attempt: number): string {
  return `${blockKey(block)}/${step}/${attempt}`;
}
