import { besideHold } from '../runbook/beside.js';
import type { Journal } from './journal.js';

/** More targets than any bot has had. */
const most = 1_000;

/**
 * Names of the targets that a run may hold: those of the configuration and every one that was ever held. A target
 * that has left the configuration must not take its open run out of sight, which could then be neither stopped nor
 * closed. Each also by its hold beside the migration: the runs of such operations must be found from the first one on.
 */
export async function targetNames(
  journal: Pick<Journal, 'streams'>,
  configured: readonly string[],
): Promise<string[]> {
  const streams = await journal.streams('target:', most);
  return [
    ...new Set([
      ...configured,
      ...configured.map(besideHold),
      ...streams.map((stream) => stream.slice('target:'.length)),
    ]),
  ];
}
