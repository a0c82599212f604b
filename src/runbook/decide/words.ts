import { standsBeside } from '../beside.js';
import { type BlockRef, findBlock, type Runbook } from '../definition.js';
import type { Cover } from '../events.js';

/** A block's name in messages. */
export function describeBlock(runbook: Runbook, ref: BlockRef): string {
  const title = findBlock(runbook, ref)?.title ?? (ref.kind === 'rollback' ? 'rollback' : ref.id);
  // Made for one occasion: its title says it all, and its id means nothing to anybody.
  if (ref.kind === 'operation' && standsBeside({ runbook, purpose: ref })) return title;
  return ref.kind === 'rollback' ? `rollback (${title})` : `${ref.kind} ${ref.id} (${title})`;
}

/** What an approval is about, in one phrase. */
export function describeCover(runbook: Runbook, cover: Cover): string {
  if (cover.kind === 'skip') return `skip step ${cover.step} of ${describeBlock(runbook, cover.block)}`;
  const what = describeBlock(runbook, cover.block);
  return cover.from === null ? what : `${what}, from step ${cover.from}`;
}
