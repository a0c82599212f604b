import type { OpenedRun, Untrusted } from '../../runbook/state.js';
import { code, line } from './escape.js';
import { type Block, message, type Rendered, section } from './message.js';

/** Why a run is untrusted, and where that stands. */
export function untrustedWords({ why, position }: Untrusted): string {
  return `${line(why)}${position === null ? '' : ` (journal position ${position})`}`;
}

const meaning =
  'The bot never writes that: somebody else has written to the state database, or it was damaged. The approvals of this run are not believed.';

/** What can be done with an untrusted run. */
export function untrustedNow(state: OpenedRun): string {
  return `Nothing of run ${state.run} is started any more. Find out who can write to the state database and read the targets' revisions; then an operator closes the run with ${code('/m10 close REASON')} and opens a new one.`;
}

/** For the card and the end of a run; empty while nothing speaks against it. */
export function untrustedBlocks({ untrusted }: OpenedRun): Block[] {
  if (untrusted === null) return [];
  return [section(`⛔ *Untrusted: ${untrustedWords(untrusted)}*\n${meaning}`)];
}

/** Told to the channel once, at the first event that cannot be believed. */
export function renderUntrusted(state: OpenedRun, untrusted: Untrusted): Rendered {
  const head = `⛔ Run ${state.run} is untrusted: ${untrustedWords(untrusted)}.`;
  return message(`${head} ${meaning} ${untrustedNow(state)}`, [
    section(`*${head}*\n${meaning}`),
    section(untrustedNow(state)),
  ]);
}
