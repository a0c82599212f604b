import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a running PostgreSQL server writes about itself into its data folder. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/** Whether a process with this id exists, ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Path of the lock file that a server keeps in its data folder while it runs. */
export const postmasterFile = (cluster: string): string => join(cluster, 'postmaster.pid');

/**
 * The server that holds the lock file of a data folder; `undefined` when there is no file or no such process.
 * Lines of the file: process id, data folder, start time, port, socket folder, address, … (PostgreSQL's
 * `miscadmin.h`, "Lock file").
 *
 * Process ids start again from 1 after a restart of the machine or a container, so the id in a file that a
 * crash left behind may belong to another program by now; where `/proc` tells, the program is looked at too.
 */
export async function readPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const text = await readFile(postmasterFile(cluster), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!Number.isInteger(pid) || pid < 1 || !Number.isInteger(port) || port < 1 || !isAlive(pid)) {
    return undefined;
  }
  if (await stat('/proc/self/cmdline').catch(() => undefined)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!commandLine.split('\0').includes(cluster)) return undefined;
  }
  return { pid, port };
}
