import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '../runbook/command.js';
import { createTurns } from './turns.js';

/**
 * Who gives way when many write to one stream at once. A stop gives way to nobody: it waits for no turn and decides again
 * at once. Everything else of this process takes turns, and after it lost to another replica waits a moment that is
 * longer each time, which is when a stop gets in.
 */
export interface Contention {
  /** Runs an attempt when it is its turn. */
  inTurn<T>(stream: string, urgent: boolean, work: () => Promise<T>): Promise<T>;
  /** @returns whether to decide again after this many attempts; waits before it answers */
  again(attempt: number, urgent: boolean): Promise<boolean>;
}

/** Each try costs two round trips. Of several replicas one wins at every try, so nobody needs nearly as many. */
const TRIES = 10;
const URGENT_TRIES = 100;
/** Longest wait after the first lost try, ms; it grows with each one. */
const STEP = 10;

/** @see Contention */
export function createContention(): Contention {
  const turns = createTurns();
  return {
    inTurn: (stream, urgent, work) => (urgent ? work() : turns(stream, work)),
    async again(attempt, urgent) {
      if (attempt >= (urgent ? URGENT_TRIES : TRIES)) return false;
      // By chance, so that replicas which met once do not meet again.
      if (!urgent) await sleep(Math.random() * STEP * attempt);
      return true;
    },
  };
}

/** Stopping is never gated, and never waits. */
export function isUrgent(command: Command): boolean {
  return command.type === 'Stop' || (command.type === 'React' && command.sign === 'stop');
}
