import { userInfo } from 'node:os';
import { plural } from '../checks/outcome.js';
import type { Config } from '../config.js';
import { headsPath } from '../main/state.js';
import { createHeadsFile } from '../store/heads-file.js';
import { createJournal, type Journal } from '../store/journal.js';
import { runStream } from '../store/runs.js';
import type { Head } from '../store/verify.js';
import type { Output } from './output.js';
import { openStateForReading } from './state.js';

/** Recomputes the hash chain and says where it breaks. */
export function auditVerify(config: Config, heads: readonly Head[], output: Output): Promise<number> {
  return withJournal(config, output, async (journal) => {
    const verdict = await journal.verify({ expectedHead: heads });
    if (!verdict.ok) {
      output.error(`The journal is broken at position ${verdict.broken}: ${verdict.reason}.`);
      output.error('What comes before that position can be trusted, what comes after cannot.');
      return 1;
    }
    const { head, checked } = verdict;
    output.line(`OK ${plural(checked, 'event')}, and each follows from the one before.`);
    output.line(`   head ${head.position}:${head.hash}`);
    if (heads.length > 0) output.line(`   ${plural(heads.length, 'noted head')} found in the chain`);
    else output.line('   A cut tail shows only against a head that was noted elsewhere, see --head.');
    return 0;
  });
}

/** Takes the journal as it is: heads that were noted before are not compared any more. */
export function auditAccept(config: Config, reason: string, output: Output): Promise<number> {
  return withJournal(config, output, async (journal) => {
    const head = await journal.head();
    await createHeadsFile(headsPath(config)).accept(head, userInfo().username, reason);
    output.line(`OK the journal is taken as it is, up to ${head.position}:${head.hash}`);
    output.line('   The bot compares heads that are noted from now on.');
    return 0;
  });
}

/** Prints the journal, or one run, as lines of JSON. */
export function auditExport(config: Config, run: number | null, output: Output): Promise<number> {
  return withJournal(config, output, async (journal) => {
    if (run !== null && (await journal.version(runStream(run))) === 0) {
      output.error(`There is no run ${run} in the journal.`);
      return 1;
    }
    for await (const line of journal.exportLines(run === null ? undefined : runStream(run))) {
      if (!(await output.stream(line))) break;
    }
    return 0;
  });
}

async function withJournal(
  config: Config,
  output: Output,
  work: (journal: Journal) => Promise<number>,
): Promise<number> {
  const state = await openStateForReading(config);
  if (state.kind === 'nothing') {
    output.error(`Nothing to audit: ${state.why}.`);
    return 1;
  }
  try {
    return await work(createJournal(state.pool));
  } finally {
    await state.close();
  }
}

/** A run's number as typed: `7`, `#7` or `run 7` in one word; null when it is none. */
export function readRun(text: string): number | null {
  const match = /^(?:run:?|#)?(\d{1,9})$/i.exec(text);
  return match === null || Number(match[1]) === 0 ? null : Number(match[1]);
}

/** A head as `POSITION:HASH`, the hash whole; null when it is not one. */
export function readHead(text: string): Head | null {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text);
  const [, position, hash] = match ?? [];
  if (position === undefined || hash === undefined) return null;
  return { position: Number(position), hash: hash.toLowerCase() };
}
