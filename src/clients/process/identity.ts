import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Where and when a process id means something: pids repeat across hosts and reboots. */
export interface Machine {
  readonly host: string;
  /** Changes at every boot; null where the kernel doesn't tell (not Linux). */
  readonly bootId: string | null;
}

/** One process as /proc/<pid>/stat shows it. */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  /** Clock ticks between boot and the start of the process; with the pid it names a process for good. */
  readonly startTicks: number;
}

export function thisMachine(): Machine {
  return { host: hostname(), bootId: readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null };
}

/** Reads /proc/<pid>/stat; null when there is no such process or no /proc. */
export function readStat(pid: number): ProcessStat | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) return null;
  return { pid, state, group: Number(group), startTicks };
}

/** A zombie has ended: only its parent has not asked for its exit code yet. */
export function isAlive(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * Whether anything of a process group still runs, zombies apart. Without /proc it falls back to signal 0,
 * which cannot tell zombies.
 */
export function groupIsAlive(group: number): boolean {
  const pids = listPids();
  if (pids === null) return signalGroup(group, 0);
  if (!signalGroup(group, 0)) return false;
  return pids.some((pid) => {
    const stat = readStat(pid);
    return stat !== null && stat.group === group && isAlive(stat);
  });
}

/**
 * Whether a live member of the group writes to the given file. It proves that a group whose leader has ended
 * is the one meant, and not a later one with the same number.
 */
export function groupWritesTo(group: number, path: string): boolean {
  return (listPids() ?? []).some((pid) => {
    const stat = readStat(pid);
    return (
      stat !== null && stat.group === group && isAlive(stat) && (holds(pid, 1, path) || holds(pid, 2, path))
    );
  });
}

/** Sends a signal to a process group; false when there is no such group (any more). */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

function holds(pid: number, fd: number, path: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
  } catch {
    return false;
  }
}

function listPids(): number[] | null {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return null;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
