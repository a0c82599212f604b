import { existsSync } from 'node:fs';
import { groupWritesTo, isAlive, readStat, signalGroup, thisMachine } from './identity.js';
import { type ChildPaths, type ChildRecord, type ExitRecord, readChild, readExit } from './records.js';

/** What can be said about a child whose start this process may not have seen. */
export type ProcessSighting =
  | { readonly kind: 'never_started' }
  | { readonly kind: 'running'; readonly pid: number; readonly startedAt: string }
  /** Without `exit` nobody saw the end, and no exit code can be known. */
  | { readonly kind: 'ended'; readonly exit: ExitRecord | null }
  | { readonly kind: 'unknown'; readonly reason: string };

/**
 * Says what has become of a child, from its files and /proc. Host, boot, pid and start time must all match
 * before anything is called running, as pids are used again.
 */
export function sight(paths: ChildPaths): ProcessSighting {
  const exit = readExit(paths);
  if (exit !== null) return exit.kind === 'not_started' ? { kind: 'never_started' } : { kind: 'ended', exit };
  const child = readChild(paths);
  if (child === null) {
    return existsSync(paths.stdout)
      ? { kind: 'unknown', reason: 'The start was prepared, and nothing tells whether it took place.' }
      : { kind: 'never_started' };
  }
  return sightChild(child, paths);
}

function sightChild(child: ChildRecord, paths: ChildPaths): ProcessSighting {
  const { pid, startedAt } = child;
  const here = thisMachine();
  if (child.host !== here.host) {
    return { kind: 'unknown', reason: `It was started on the host ${child.host}; this is ${here.host}.` };
  }
  const ended: ProcessSighting = { kind: 'ended', exit: null };
  if (child.bootId !== here.bootId) return ended;
  if (child.startTicks === null) {
    return signalGroup(pid, 0)
      ? { kind: 'unknown', reason: `Process group ${pid} exists, but without /proc it may be another one.` }
      : ended;
  }
  const leader = readStat(pid);
  const same = leader !== null && leader.startTicks === child.startTicks;
  if (same && isAlive(leader)) return { kind: 'running', pid, startedAt };
  // The leader's children can outlive it, and still change things.
  return groupWritesTo(pid, paths.stdout) || groupWritesTo(pid, paths.stderr)
    ? { kind: 'running', pid, startedAt }
    : ended;
}
