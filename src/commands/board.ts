import { isBesideHold } from '../runbook/beside.js';
import type { OpenedRun } from '../runbook/state.js';
import type { Journal } from '../store/journal.js';
import { opened, type Runs, runOfStream } from '../store/runs.js';

/** What stands at a position of the journal. */
export interface Snapshot {
  /** The journal was read at this position or a later one. */
  readonly position: number;
  /** The open run that holds targets of the configuration. */
  readonly run: OpenedRun | null;
  /** The open operation that stands beside it, or alone. */
  readonly beside: OpenedRun | null;
  /** The newest run when none is open. */
  readonly last: OpenedRun | null;
}

/** The open run with this number. */
export function openRunOf(snapshot: Snapshot, run: number): OpenedRun | null {
  return [snapshot.run, snapshot.beside].find((each) => each?.run === run) ?? null;
}

/** The board as seen by somebody who means one open run and no other, such as by its button. */
export function boardOf(board: Board, run: OpenedRun): Board {
  const only = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    run: openRunOf(snapshot, run.run),
    beside: null,
  });
  return { at: async (position) => only(await board.at(position)), now: async () => only(await board.now()) };
}

/** The open runs and the last one, kept folded. */
export interface Board {
  /** What stands at a position that the caller has just read; no query when nothing came since. */
  at(position: number): Promise<Snapshot>;
  /** What stands now. */
  now(): Promise<Snapshot>;
}

/**
 * Keeps one snapshot. Every append moves the journal's head, so a snapshot that was taken at the head's
 * position is current, whatever other replicas did.
 */
export function createBoard(deps: {
  readonly journal: Pick<Journal, 'head' | 'streams'>;
  readonly runs: Pick<Runs, 'load' | 'holders'>;
  readonly targets: readonly string[];
}): Board {
  const { journal, runs, targets } = deps;
  let known: Snapshot | null = null;
  let reading: Promise<Snapshot> | null = null;

  async function stateOf(run: number): Promise<OpenedRun | null> {
    const { state } = await runs.load(run);
    return opened(state) ?? null;
  }

  async function openRuns(): Promise<Pick<Snapshot, 'run' | 'beside'>> {
    const holders = await runs.holders(targets);
    const newest = async (beside: boolean): Promise<OpenedRun | null> => {
      const held = holders.filter((h) => isBesideHold(h.target) === beside);
      if (held.length === 0) return null;
      const run = await stateOf(Math.max(...held.map((h) => h.run)));
      return run?.closed === null ? run : null;
    };
    const [run, beside] = await Promise.all([newest(false), newest(true)]);
    return { run, beside };
  }

  async function lastRun(): Promise<OpenedRun | null> {
    const [stream] = await journal.streams('run:', 1);
    const run = stream === undefined ? null : runOfStream(stream);
    return run === null ? null : stateOf(run);
  }

  async function read(): Promise<Snapshot> {
    // The position first: what is read after it may be newer, and then is merely read again.
    const { position } = await journal.head();
    const open = await openRuns();
    const none = open.run === null && open.beside === null;
    const snapshot: Snapshot = { position, ...open, last: none ? await lastRun() : null };
    if (known === null || known.position < position) known = snapshot;
    return snapshot;
  }

  return {
    async at(position) {
      for (;;) {
        if (known !== null && known.position >= position) return known;
        // Requests that come meanwhile share one reading; one that began too early is followed by another.
        reading ??= read().finally(() => {
          reading = null;
        });
        const snapshot = await reading;
        if (snapshot.position >= position) return snapshot;
      }
    },
    async now() {
      const { position } = await journal.head();
      return this.at(position);
    },
  };
}
