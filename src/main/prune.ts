import type { Dirent } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Processes } from '../clients/process.js';

/** What is kept of what children, steps and jobs leave in the state directory. */
export interface Keeping {
  /** Of closed runs: their children's records, work folders and outputs. */
  readonly runs: { readonly ageMs: number; readonly count: number };
  /** Of everything that belongs to no run, such as jobs and readings. */
  readonly others: { readonly ageMs: number; readonly count: number };
  /** Nothing that changed within this is touched: somebody may be making it. */
  readonly youngMs: number;
}

const day = 24 * 3_600_000;

/** Long enough for whoever looks into an incident; few enough that a job every 30 s fills no disk. */
export const keeping: Keeping = {
  runs: { ageMs: 90 * day, count: 200 },
  others: { ageMs: 7 * day, count: 1_000 },
  youngMs: 3_600_000,
};

export interface PrunerDeps {
  /** The state directory. */
  readonly directory: string;
  readonly processes: Pick<Processes, 'below' | 'look'>;
  /** Numbers of the runs that are open: nothing of theirs is removed, however old it is. */
  readonly openRuns: () => Promise<readonly number[]>;
  /** The clock that dates the files; ms since the epoch */
  readonly now: () => number;
  readonly keeping?: Keeping;
}

/** Something that is removed whole or not at all. */
interface Unit {
  readonly path: string;
  /** Of its newest change, ms since the epoch. */
  readonly at: number;
  /** Whether nothing of it runs for sure; what was started on another machine cannot be told. */
  readonly ended: boolean;
}

/**
 * Removes what is old, or beyond the number that is kept, from `children`, `work` and `output`. A run's things go
 * together; nothing of an open run, and nothing whose process may still run, is touched.
 * @returns how many things were removed
 * @throws when the open runs cannot be read: then nothing is removed
 */
export async function prune(deps: PrunerDeps): Promise<number> {
  const { directory, processes } = deps;
  const kept = deps.keeping ?? keeping;
  const open = new Set(await deps.openRuns());
  const now = deps.now();

  function old(units: readonly Unit[], { ageMs, count }: Keeping['runs']): Unit[] {
    const newest = [...units].sort((a, b) => b.at - a.at);
    return newest.filter(
      ({ at, ended }, index) => now - at > kept.youngMs && (now - at > ageMs || (ended && index >= count)),
    );
  }

  /** What can be said of the children at an id or below it. */
  function standing(id: string): 'running' | 'unknown' | 'ended' {
    try {
      const kinds = processes.below(id).map((each) => processes.look(each).kind);
      if (kinds.includes('running')) return 'running';
      return kinds.includes('unknown') ? 'unknown' : 'ended';
    } catch {
      return 'unknown';
    }
  }

  async function unitAt(path: string, id: string): Promise<Unit[]> {
    const stands = standing(id);
    if (stands === 'running') return [];
    return [{ path, at: await newestIn(path), ended: stands === 'ended' }];
  }

  /** Folders of one attempt: those that hold files, or nothing. */
  async function leaves(path: string, id: string): Promise<Unit[]> {
    const entries = await list(path);
    const folders = entries.filter((entry) => entry.isDirectory());
    if (folders.length === 0 || folders.length < entries.length) return unitAt(path, id);
    const below = await Promise.all(folders.map(({ name }) => leaves(join(path, name), `${id}/${name}`)));
    return below.flat();
  }

  async function folders(root: string): Promise<Unit[]> {
    const entries = (await list(root)).filter((entry) => entry.isDirectory());
    const runs: Unit[] = [];
    const others: Unit[] = [];
    for (const { name } of entries) {
      const path = join(root, name);
      const run = runOf(name);
      if (run !== null) {
        if (!open.has(run)) runs.push(...(await unitAt(path, name)));
        continue;
      }
      others.push(...(await leaves(path, name)));
    }
    return [...old(runs, kept.runs), ...old(others, kept.others)];
  }

  async function outputs(root: string): Promise<Unit[]> {
    const units: Unit[] = [];
    for (const { name } of await list(root)) {
      const run = runOf(name);
      if (run !== null && open.has(run)) continue;
      const path = join(root, name);
      units.push({ path, at: await newestIn(path), ended: true });
    }
    // One run has many outputs.
    return old(units, { ...kept.runs, count: kept.runs.count * 20 });
  }

  const gone = [
    ...(await folders(join(directory, 'children'))),
    ...(await folders(join(directory, 'work'))),
    ...(await outputs(join(directory, 'output'))),
  ];
  for (const { path } of gone) await rm(path, { recursive: true, force: true });
  for (const root of ['children', 'work']) await removeEmpty(join(directory, root), now - kept.youngMs, true);
  return gone.length;
}

/** The run that a name belongs to: `run-7`, or `run-7_phase.x_step_1-0a1b2c3d4e5f6071.txt`. */
function runOf(name: string): number | null {
  const match = /^run-(\d+)(?:_|$)/.exec(name);
  return match === null ? null : Number(match[1]);
}

async function list(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** The newest change at a path or below it, ms since the epoch. */
async function newestIn(path: string): Promise<number> {
  const own = await stat(path).catch(() => null);
  if (own === null) return 0;
  if (!own.isDirectory()) return own.mtimeMs;
  const below = await Promise.all((await list(path)).map(({ name }) => newestIn(join(path, name))));
  return Math.max(own.mtimeMs, ...below);
}

/** Folders that hold nothing and have not changed since a moment. Whoever makes one meanwhile keeps it. */
async function removeEmpty(path: string, before: number, root = false): Promise<void> {
  const entries = await list(path);
  const own = await stat(path).catch(() => null);
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(join(path, entry.name), before);
  if (root || own === null || own.mtimeMs > before) return;
  // Fails where it is not empty, or not any more.
  await rmdir(path).catch(() => undefined);
}
