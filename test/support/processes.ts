import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

interface RunningProcess {
  readonly pid: number;
  readonly commandLine: string;
}

/** `undefined` for a process that has just ended, and for a zombie. */
async function fromProc(pid: string): Promise<RunningProcess | undefined> {
  try {
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    // A zombie has no command line any more, nor has a kernel thread.
    return commandLine === '' ? undefined : { pid: Number(pid), commandLine };
  } catch {
    return undefined;
  }
}

async function running(): Promise<RunningProcess[]> {
  const entries = await readdir('/proc').catch(() => undefined);
  if (entries) {
    // Small images have no ps, so the kernel is asked where it answers.
    const found = await Promise.all(entries.filter((name) => /^\d+$/.test(name)).map(fromProc));
    return found.filter((process) => process !== undefined);
  }
  const { stdout } = await promisify(execFile)('ps', ['-Aww', '-o', 'stat=,pid=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [, state = 'Z', pid, commandLine = ''] = /^\s*(\S+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return state.startsWith('Z') ? [] : [{ pid: Number(pid), commandLine }];
  });
}

/** Command lines of all processes that mention `text`; finished ones that nobody has reaped are left out. */
export async function processesWith(text: string): Promise<string[]> {
  return (await running()).map(({ commandLine }) => commandLine).filter((line) => line.includes(text));
}

/** Those of `pids` that still run. */
export async function stillRunning(pids: readonly number[]): Promise<number[]> {
  return (await running()).map(({ pid }) => pid).filter((pid) => pids.includes(pid));
}

/**
 * Polls until `condition` holds; false when it did not within `deadlineMs`. The deadline ends a test that would
 * wait for ever; it is far beyond what is waited for, since a busy machine may take many times as long.
 */
export async function eventually(condition: () => Promise<boolean>, deadlineMs = 90_000): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}
