import { finishOperation, startOperation } from '../runbook/jobs/decide.js';
import type { JobEventOf } from '../runbook/jobs/events.js';
import type { Refusal } from '../runbook/refusal.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';
import { notAllowed } from './m10-refusals.js';

/** What a quick change came to. */
export type Effect = Pick<JobEventOf<'OperationFinished'>, 'result' | 'summary' | 'output'>;

export interface Operation {
  /** What is done, in words. */
  readonly what: string;
  /** Why it would make no sense, before anything is recorded; null to go on. */
  readonly unwanted?: () => Promise<Refusal | null>;
  /** Does it. Done twice, after a crash in between, it must come to the same. */
  readonly effect: () => Promise<Effect>;
}

/**
 * Makes a quick change that needs no approval: recorded before, done, recorded after. A delivery that is handled
 * again finishes what it began: its own key is noted with the end alone, and another one with the beginning.
 * @returns what was recorded as its end; null when another worker recorded it
 */
export async function operate(
  context: CommandContext,
  journal: JobsJournal,
  operation: Operation,
): Promise<Effect | Refusal | null> {
  const { delivery, user: by, operator, via } = context;
  const { what } = operation;
  const begun = delivery === undefined ? undefined : await openOperation(journal, delivery);
  const again = begun !== undefined;
  let number = begun;
  if (number === undefined) {
    // Who may not do it is told so before the target is asked.
    const no = notAllowed(context, 'change something here') ?? (await operation.unwanted?.()) ?? null;
    if (no !== null) return no;
    const started = await journal.execute(
      (state) =>
        startOperation(state, {
          what,
          by,
          operator,
          via,
          ...(delivery === undefined ? {} : { delivery }),
        }),
      delivery === undefined ? {} : { delivery: `${delivery}:begun` },
    );
    if (started.kind === 'refused') return started;
    const [event] = started.events;
    // No event: another worker began with the same delivery, just now or to its end.
    number =
      event?.type === 'OperationStarted'
        ? event.operation
        : delivery === undefined
          ? undefined
          : await openOperation(journal, delivery);
    if (number === undefined) return null;
  }
  const since = performance.now();
  const effect = await settled(operation.effect);
  const summary = again
    ? `${effect.summary}. The bot was interrupted at the first try, which may have done a part of it`
    : effect.summary;
  const ended = { operation: number, what, by, ...effect, summary };
  const finished = await journal.execute(
    (state) =>
      finishOperation(state, { ...ended, durationMs: Math.max(0, Math.round(performance.now() - since)) }),
    delivery === undefined ? {} : { delivery },
  );
  return finished.kind === 'refused' || finished.events.length === 0 ? null : { ...effect, summary };
}

async function openOperation(journal: JobsJournal, delivery: string): Promise<number | undefined> {
  const { state } = await journal.load();
  return state.openOperations.find((open) => open.delivery === delivery)?.operation;
}

/** A bug must not leave an operation without its end. */
async function settled(effect: () => Promise<Effect>): Promise<Effect> {
  try {
    return await effect();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { result: 'unknown', summary: `The bot failed in the middle of it: ${why}`, output: '' };
  }
}
