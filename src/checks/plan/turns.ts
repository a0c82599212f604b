import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long others wait at most for a long piece of work, ms: a lease has to be renewed meanwhile. */
const longestMs = 25;

/**
 * Lets everything else have its turn now and then; to be awaited in each round of a loop that may be long. Parsing
 * SQL takes about a millisecond for each statement, and a migration may have twenty thousand.
 */
export function createTurns(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < longestMs) return;
    await nextTurn();
    since = performance.now();
  };
}
