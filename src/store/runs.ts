import { z } from 'zod';
import { besideHold, type Intent, standsBeside, workedTargets } from '../runbook/beside.js';
import type { Command } from '../runbook/command.js';
import { decide } from '../runbook/decide.js';
import { decodeRunEvent, encodeEvent, type RunEvent, TargetEvent } from '../runbook/events.js';
import { evolve } from '../runbook/evolve.js';
import type { Refusal } from '../runbook/refusal.js';
import { initialState, type OpenedRun, type RunState } from '../runbook/state.js';
import { createContention, isUrgent } from './contention.js';
import { deliveryStream, firstTime, isRepeated } from './deliveries.js';
import { VersionConflict } from './errors.js';
import type { EventDraft, StoredEvent } from './event.js';
import type { Fence, Journal, Write } from './journal.js';

export interface LoadedRun {
  readonly state: RunState;
  readonly version: number;
}

export type Executed =
  | {
      readonly kind: 'accepted';
      readonly events: readonly StoredEvent[];
      readonly state: RunState;
      readonly version: number;
    }
  | Refusal;

export interface Runs {
  /** A run's state as the journal has it now. */
  load(run: number): Promise<LoadedRun>;
  /**
   * Decides a command and appends its events at the version it was decided at. When somebody else was first,
   * reads again and decides again. Commands for one run take turns within this process; a stop waits for none.
   * @throws LeaseLost when `fence` does not hold any more
   * @throws VersionConflict when the run changed faster than it could be decided
   */
  execute(run: number, command: Command, options?: ExecuteOptions): Promise<Executed>;
  /** Which of these targets a run holds. */
  holders(targets: readonly string[]): Promise<{ readonly target: string; readonly run: number }[]>;
  /**
   * Records a thing that does not change a run, such as a refused command, on the run's stream.
   * @returns false when the delivery had its effect before, and nothing is recorded
   */
  record(run: number, event: RunEvent, options?: Pick<ExecuteOptions, 'delivery'>): Promise<boolean>;
  /** The same for a thing that happened outside any run. */
  recordAtDesk(
    channel: string,
    event: RunEvent,
    actor: string | null,
    options?: Pick<ExecuteOptions, 'delivery'>,
  ): Promise<boolean>;
  /** Whether a delivery's events are in the journal already. */
  handled(delivery: string): Promise<boolean>;
}

export interface ExecuteOptions {
  readonly fence?: Fence;
  /**
   * The key of the delivery that asks for this. It is noted in the very append, so that a delivery which is
   * handled again, after a crash or by two workers, has its effect once; the second time nothing is appended.
   */
  readonly delivery?: string;
}

/** Who is named as actor of an event in the journal. */
function actorOf(event: RunEvent): string | null {
  return 'by' in event ? event.by : null;
}

/** The stream of a run. */
export function runStream(run: number): string {
  return `run:${run}`;
}

/** The run of a stream, or null when the stream is not a run's. */
export function runOfStream(stream: string): number | null {
  const match = /^run:(\d+)$/.exec(stream);
  return match === null ? null : Number(match[1]);
}

/** What a run holds while it is open: the targets it works on, or their holds beside the migration. */
export function heldTargets(intent: Intent): string[] {
  const targets = workedTargets(intent);
  return standsBeside(intent) ? targets.map(besideHold) : targets;
}

/** The deciders' shell: loads a run, decides, appends; keeps folded states so that a look costs one query. */
export function createRuns(deps: {
  readonly journal: Journal;
  /** The clock that decides whether a request has expired, the same for all replicas; ms since the epoch. */
  readonly now: () => number | Promise<number>;
  /** How many folded runs are kept in memory. */
  readonly cacheSize?: number;
}): Runs {
  const { journal, now } = deps;
  const cache = new Map<number, LoadedRun>();
  const contention = createContention();

  function remember(run: number, loaded: LoadedRun): void {
    cache.delete(run);
    cache.set(run, loaded);
    const oldest = cache.keys().next();
    if (cache.size > (deps.cacheSize ?? 50) && !oldest.done) cache.delete(oldest.value);
  }

  async function load(run: number): Promise<LoadedRun> {
    const known = cache.get(run) ?? { state: initialState, version: 0 };
    const fresh = await journal.read(runStream(run), known.version);
    const loaded = foldStored(known, fresh);
    if (loaded.version > 0) remember(run, loaded);
    return loaded;
  }

  async function head(target: string): Promise<TargetHead> {
    const last = await journal.last(`target:${target}`);
    if (last === undefined) return { target, version: 0, run: null };
    const event = TargetEvent.parse({ type: last.type, ...withoutVersion(last.data) });
    return { target, version: last.version, run: event.type === 'TargetClaimed' ? event.run : null };
  }

  /** Appends an event that no decision stands behind, so any version of the stream will do. */
  async function noteInTurn(
    stream: string,
    event: RunEvent,
    actor: string | null,
    { delivery }: Pick<ExecuteOptions, 'delivery'> = {},
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      const expectedVersion = await journal.version(stream);
      const own: Write = { stream, expectedVersion, events: [{ ...encodeEvent(event), actor }] };
      try {
        await journal.append([...firstTime(delivery), own]);
        return true;
      } catch (error) {
        if (isRepeated(error, delivery)) return false;
        if (!(error instanceof VersionConflict) || !(await contention.again(attempt, false))) throw error;
      }
    }
  }

  const note = (stream: string, ...rest: [RunEvent, string | null, Pick<ExecuteOptions, 'delivery'>?]) =>
    contention.inTurn(stream, false, () => noteInTurn(stream, ...rest));

  const heads = (targets: readonly string[]) => Promise.all(targets.map(head));

  /** The heads of the targets that this command would take or give back. */
  async function headsFor(command: Command, state: RunState): Promise<TargetHead[]> {
    if (command.type === 'OpenRun') return heads(heldTargets(command));
    const closes = command.type === 'Close' || command.type === 'FinishRun';
    return closes && state.kind === 'run' ? heads(heldTargets(state)) : [];
  }

  async function executeInTurn(
    run: number,
    command: Command,
    options: ExecuteOptions,
    urgent: boolean,
  ): Promise<Executed> {
    for (let attempt = 1; ; attempt += 1) {
      const { state, version } = await load(run);
      const at = await now();
      // Whether the targets are free is read here, on every try, so that the loser of a race is told who
      // won; the claim is appended at the very version at which it was read.
      const targets = await headsFor(command, state);
      const asked: Command = command.type === 'OpenRun' ? { ...command, busy: holdersOf(targets) } : command;
      const decision = decide(state, asked, at);
      if (decision.kind === 'refused') return decision;
      if (decision.events.length === 0) return { kind: 'accepted', events: [], state, version };
      const events = decision.events.map(
        (event): EventDraft => ({ ...encodeEvent(event), actor: actorOf(event) }),
      );
      const own: Write = { stream: runStream(run), expectedVersion: version, events };
      try {
        const writes = [...firstTime(options.delivery), own, ...claims(run, decision.events, targets)];
        const stored = await journal.append(writes, options);
        const mine = stored.filter((e) => e.stream === own.stream);
        const loaded = foldStored({ state, version }, mine);
        remember(run, loaded);
        return { kind: 'accepted', events: mine, ...loaded };
      } catch (error) {
        if (isRepeated(error, options.delivery))
          return { kind: 'accepted', events: [], ...(await load(run)) };
        if (!(error instanceof VersionConflict) || !(await contention.again(attempt, urgent))) throw error;
      }
    }
  }

  return {
    load,
    async holders(targets) {
      return holdersOf(await heads(targets));
    },
    execute: (run, command, options = {}) => {
      const urgent = isUrgent(command);
      return contention.inTurn(runStream(run), urgent, () => executeInTurn(run, command, options, urgent));
    },
    record: (run, event, options) => note(runStream(run), event, actorOf(event), options),
    recordAtDesk: (channel, event, actor, options) => note(`desk:${channel}`, event, actor, options),
    handled: async (delivery) => (await journal.version(deliveryStream(delivery))) > 0,
  };
}

interface TargetHead {
  readonly target: string;
  readonly version: number;
  /** The run that holds it. */
  readonly run: number | null;
}

function holdersOf(targets: readonly TargetHead[]): { target: string; run: number }[] {
  return targets.flatMap(({ target, run }) => (run === null ? [] : [{ target, run }]));
}

/** What a run's opening or end does to its targets' streams. */
function claims(run: number, events: readonly RunEvent[], targets: readonly TargetHead[]): Write[] {
  const opens = events.some((e) => e.type === 'RunOpened');
  const closes = events.some((e) => e.type === 'RunClosed');
  if (!opens && !closes) return [];
  return targets
    .filter((t) => opens || t.run === run)
    .map(({ target, version }) => ({
      stream: `target:${target}`,
      expectedVersion: version,
      events: [encodeEvent({ type: opens ? 'TargetClaimed' : 'TargetReleased', target, run })],
    }));
}

/** Folds stored events onto a state. */
export function foldStored(from: LoadedRun, events: readonly StoredEvent[]): LoadedRun {
  let { state, version } = from;
  for (const stored of events) {
    const { at, hash, position } = stored;
    state = evolve(state, decodeRunEvent(stored.type, stored.data), { at: Date.parse(at), hash, position });
    version = stored.version;
  }
  return { state, version };
}

/** The run that is open, if the state is one. */
export function opened(state: RunState): OpenedRun | undefined {
  return state.kind === 'run' ? state : undefined;
}

function withoutVersion(data: unknown): Record<string, unknown> {
  const { v: _, ...rest } = z.looseObject({}).parse(data);
  return rest;
}
