import type { Loss } from '../../runbook/events.js';
import { line } from './escape.js';
import { fitLines } from './limits.js';

/** A target and the revision it is at; null when none is known. */
interface At {
  readonly target: string;
  readonly revision: string | null;
}

/**
 * What a rollback would throw away, by target. A target that is back already loses nothing, and is not counted up.
 * @param back the revision to which the rollback leads
 */
export function lossText(loss: readonly Loss[], targets: readonly At[], back: string): string {
  if (loss.length === 0) return 'This runbook counts nothing that a rollback would lose.';
  const names = [...new Set(loss.map(({ target }) => target))];
  const lines = names.flatMap((name) => {
    const own = loss.filter(({ target }) => target === name);
    const at = targets.find(({ target }) => target === name)?.revision ?? null;
    const nothing = at !== null && sameRevision(at, back) && own.every(({ count }) => count === 0);
    return nothing ? [`• Nothing on *${line(name)}*, which is at ${line(back)} already`] : own.map(lossLine);
  });
  return fitLines(lines, 1_500, 'things');
}

function lossLine({ label, target, count, note }: Loss): string {
  const why = note === '' ? '' : ` (${line(note)})`;
  const counted = count === null ? 'could not be counted' : count.toLocaleString('en-US');
  return `• ${line(label)} on *${line(target)}*: ${counted}${why}`;
}

const sameRevision = (a: string, b: string) => a.split(', ').sort().join() === b.split(', ').sort().join();
