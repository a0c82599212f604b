import { type BlockRef, blockKey } from '../../runbook/definition.js';
import { leftOut } from '../../runbook/left-out.js';
import type { LeftOut } from '../../runbook/planned.js';
import type { OpenedRun } from '../../runbook/state.js';
import { code, line, person } from './escape.js';
import { fitLines } from './limits.js';
import { type Block, section } from './message.js';
import { people, plural, sentence } from './words.js';

/** What the good end of a run is never shown without: skipped steps, and warnings that came with results. */
export function exceptionWords(state: OpenedRun): string {
  const skips = leftOut(state);
  return [
    ...(skips.length === 0 ? [] : [`except for ${countSkips(skips)}`]),
    ...(state.notes.length === 0 ? [] : ['with differences']),
  ].join(', ');
}

/** A run's word with its exceptions, such as "Verified except for 5 checks". */
export function withExceptions(word: string, state: OpenedRun): string {
  const but = exceptionWords(state);
  if (but === '') return word;
  return but.startsWith('except') ? `${word} ${but}` : `${word}, ${but}`;
}

function countSkips(skips: readonly LeftOut[]): string {
  return plural(skips.length, skips.some((s) => s.changes) ? 'step' : 'check');
}

/** The names of what was skipped, for one line: changes first, since they were not made. */
export function skippedNames(skips: readonly LeftOut[]): string {
  const names = (of: readonly LeftOut[]) => of.map((s) => code(s.step)).join(', ');
  const changes = skips.filter((s) => s.changes);
  const checks = skips.filter((s) => !s.changes);
  return [
    ...(changes.length === 0 ? [] : [`not run: ${names(changes)}`]),
    ...(checks.length === 0 ? [] : [`not checked: ${names(checks)}`]),
  ].join('; ');
}

/** Each skipped step with who asked, who approved and why. */
export function leftOutBlocks(skips: readonly LeftOut[]): Block[] {
  if (skips.length === 0) return [];
  const lines = skips.map((s) => {
    const what = s.changes
      ? `*Not run:* ${line(s.title)}, a change of *${line(s.target)}*`
      : `Not checked: ${line(s.title)}, on ${line(s.target)}`;
    const approved = s.approvers.length === 0 ? '' : `, approved by ${people(s.approvers)}`;
    return `• ${what} (${code(s.step)}). Skipped by ${person(s.by)}${approved}: ${line(sentence(s.reason))}`;
  });
  return [section(`⚠️ *Left out in this run*\n${fitLines(lines, 2_400, 'steps left out')}`)];
}

/** What a block that is done was done without; empty when nothing of it was skipped. */
export function doneWithout(state: OpenedRun, block: BlockRef): string {
  const own = leftOut(state).filter((s) => s.block === blockKey(block));
  return own.length === 0 ? '' : ` Done except for ${countSkips(own)}: ${skippedNames(own)}.`;
}

/** Skipped steps and warnings of steps, for the card and the end of a run. */
export function exceptionBlocks(state: OpenedRun): Block[] {
  return [...leftOutBlocks(leftOut(state)), ...differenceBlocks(state)];
}

function differenceBlocks(state: OpenedRun): Block[] {
  if (state.notes.length === 0) return [];
  const lines = state.notes.map(
    ({ step, attempt, text }) =>
      `• ${code(step)}${attempt > 1 ? `, attempt ${attempt}` : ''}: ${line(sentence(text))}`,
  );
  return [section(`⚠️ *Differences*\n${fitLines([...new Set(lines)], 1_500, 'differences')}`)];
}
