import { decodeRunEvent, type RunEvent } from '../runbook/events.js';
import { refuse } from '../runbook/refusal.js';
import { type OpenedRun, stepKey } from '../runbook/state.js';
import { opened, runStream } from '../store/runs.js';
import type { CommandContext } from './context.js';
import type { AuditEntry, Reply } from './reply.js';
import { decline } from './settle.js';

/** Tells what happened in a run, and whether the record is whole from its first event to now. */
export async function audit(context: CommandContext, wanted: number | null): Promise<Reply> {
  const { run: main, beside, last } = await context.board.now();
  const open = main ?? beside;
  const run = wanted === null ? (open ?? last) : await known(context, wanted);
  if (run === null) {
    return decline(
      context,
      '/m10 audit',
      wanted === null
        ? refuse('no_run', 'There has been no run yet.', 'Open one with `/m10 preflight`.')
        : refuse('unknown_run', `There is no run ${wanted}.`, '`/m10 audit` shows the newest one.'),
      open,
    );
  }
  const stored = await context.journal.read(runStream(run.run));
  const first = stored[0];
  const verdict = await context.journal.verify({ from: first?.position ?? 1 });
  const entries = stored.map(({ type, data, at, actor }): AuditEntry => {
    const event = decodeRunEvent(type, data);
    return { at: Date.parse(at), by: actor, words: context.describe(event, run), ...stepOf(event) };
  });
  const end = stored.at(-1);
  const differs = await context.journalDiffers();
  const noted =
    differs === null
      ? ' No head that was noted elsewhere differs from it.'
      : ` ⛔ It is not the journal that was noted: ${differs}. Approve nothing until it is explained.`;
  return {
    kind: 'audit',
    run,
    entries,
    head: verdict.ok ? verdict.head : { position: end?.position ?? 0, hash: end?.hash ?? '' },
    chain: verdict.ok
      ? `The hash chain is whole from this run's first event to now: ${verdict.checked} events checked.${noted}`
      : `The hash chain is broken at position ${verdict.broken}: ${verdict.reason}. Run \`m10bot audit verify\` and look at who can write to the bot's database.${differs === null ? '' : noted}`,
  };
}

/** What of an event a short form may fold: nothing that failed, is unknown or carries a warning. */
function stepOf(event: RunEvent): Pick<AuditEntry, 'step'> {
  if (event.type !== 'StepStarted' && event.type !== 'StepFinished') return {};
  const { block, step: id, attempt } = event;
  const key = `${stepKey(block, id)}/${attempt}`;
  if (event.type === 'StepStarted') return { step: { id, key, is: 'started' } };
  const plain = event.result === 'passed' && !event.recovered && (event.notes ?? []).length === 0;
  return plain ? { step: { id, key, is: 'passed' } } : {};
}

async function known(context: CommandContext, run: number): Promise<OpenedRun | null> {
  const { state } = await context.runs.load(run);
  return opened(state) ?? null;
}
