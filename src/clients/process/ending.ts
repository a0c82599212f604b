import { setTimeout as sleep } from 'node:timers/promises';
import { groupIsAlive, signalGroup } from './identity.js';

/** How long after KILL a group is waited for, in milliseconds: a process in disk sleep takes its time. */
export const KILL_WAIT_MS = 5_000;
const POLL_MS = 25;

export interface EndingRules {
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether the signal's reason says to leave the group as it is: somebody else takes it over. */
  readonly leaves: (reason: unknown) => boolean;
}

export interface Ending {
  release(): void;
  /** Aborted once the group is left to somebody else: from then on it is not ended here, not even at its timeout. */
  readonly left: AbortSignal;
  finished(): Promise<'timed_out' | 'stopped' | null>;
}

/** Ends the group at the timeout or when the signal aborts, whichever comes first, or leaves it as the signal says. */
export function watchForEnd(pid: number, rules: EndingRules): Ending {
  let cause: 'timed_out' | 'stopped' | null = null;
  let kill: NodeJS.Timeout | undefined;
  let released = false;
  const end = (why: 'timed_out' | 'stopped'): void => {
    if (cause !== null) return;
    cause = why;
    signalGroup(pid, 'SIGTERM');
    kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), rules.graceMs);
    if (released) kill.unref();
  };
  const left = new AbortController();
  const timeout = setTimeout(() => end('timed_out'), rules.timeoutMs);
  // A time limit of the whole step comes as a signal as well, a moment before the child's own.
  const abort = (): void => {
    const reason: unknown = rules.signal?.reason;
    if (!rules.leaves(reason)) {
      end(isTimeout(reason) ? 'timed_out' : 'stopped');
    } else if (cause === null) {
      clearTimeout(timeout);
      left.abort(reason);
    }
  };
  rules.signal?.addEventListener('abort', abort, { once: true });
  // The signal may have been aborted between the first look at it and here.
  if (rules.signal?.aborted === true) abort();
  return {
    left: left.signal,
    release() {
      released = true;
      timeout.unref();
      kill?.unref();
    },
    /** Called once the leader has ended. A group that was told to end is waited for, as its children work on. */
    async finished() {
      clearTimeout(timeout);
      rules.signal?.removeEventListener('abort', abort);
      if (cause !== null) await groupGone(pid, rules.graceMs + KILL_WAIT_MS);
      clearTimeout(kill);
      return cause;
    },
  };
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}

/** Waits until nothing of the group runs; false when it still does after `withinMs`. */
export async function groupGone(group: number, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (groupIsAlive(group)) {
    if (Date.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
