import { workedTargets } from '../../runbook/beside.js';
import {
  blockProgress,
  isTakenBack,
  nextPhase,
  type OpenedRun,
  openGate,
  runningStep,
  stepProgress,
  troubledSteps,
} from '../../runbook/state.js';
import { line } from './escape.js';
import { doneWithout, exceptionBlocks, exceptionWords, withExceptions } from './exceptions.js';
import { cutMrkdwn, fitLines, LIMITS } from './limits.js';
import { type Block, context, divider, header, message, type Rendered, section } from './message.js';
import { type ListedBlock, listedBlocks, openedBy, runTitle, tally, whatNow } from './now.js';
import { untrustedBlocks } from './untrusted.js';
import { duration, mark, plural } from './words.js';

/** The message that shows a run as it is now; updated in place from the first event to the last. */
export function renderCard(state: OpenedRun): Rendered {
  const { word, emoji } = standing(state);
  const title = `Run ${state.run}: ${runTitle(state)}`;
  const text = `${emoji} Run ${state.run} (${line(runTitle(state))}): ${word}. ${whatNow(state)}`;
  return message(
    text,
    [
      header(`${emoji} ${title}`),
      section(`*${word}*\n${whatNow(state)}`),
      ...untrustedBlocks(state),
      ...exceptionBlocks(state),
      ...phaseBlocks(state),
      divider,
    ],
    [context(openedBy(state), `Targets: ${workedTargets(state).map(line).join(', ')}`, ...migration(state))],
  );
}

/** Where a run stands, in a word or two, with the one emoji of its messages. */
export function standing(state: OpenedRun): { word: string; emoji: string } {
  if (state.closed !== null) {
    const good = state.untrusted !== null ? '⛔' : exceptionWords(state) === '' ? '✅' : '⚠️';
    const ended = (word: string) =>
      withExceptions(state.untrusted === null ? word : `${word}, untrusted`, state);
    switch (state.closed.outcome) {
      case 'verified':
        return { word: ended('Verified'), emoji: good };
      case 'rolled-back':
        return { word: ended('Rolled back'), emoji: state.untrusted === null ? '↩️' : '⛔' };
      case 'operation-done':
        return { word: ended('Done'), emoji: good };
      case 'closed':
        return state.untrusted === null
          ? { word: 'Closed before its end', emoji: '⚪' }
          : { word: 'Closed as untrusted', emoji: '⛔' };
    }
  }
  if (state.untrusted !== null) return { word: 'Untrusted', emoji: '⛔' };
  if (runningStep(state) !== undefined) {
    return state.stopped === null
      ? { word: 'Running', emoji: '🔵' }
      : { word: 'Stopping after the running step', emoji: '🛑' };
  }
  const gate = openGate(state);
  if (gate !== undefined) {
    return gate.status === 'preparing'
      ? { word: 'Preparing a request for approval', emoji: '🟡' }
      : { word: 'Waiting for approval', emoji: '🟡' };
  }
  if (isTakenBack(state)) return { word: 'Closing', emoji: '🔵' };
  if (state.stopped !== null) return { word: 'Stopped', emoji: '🛑' };
  if (troubledSteps(state).length > 0) return { word: 'A step did not pass', emoji: '🔴' };
  if (state.current !== null) return { word: 'Running', emoji: '🔵' };
  const phase = nextPhase(state);
  if (phase === undefined && state.purpose.kind === 'runbook') return { word: 'Closing', emoji: '🔵' };
  return phase?.gate === 'none'
    ? { word: 'Starting', emoji: '🔵' }
    : { word: 'Waiting for the next command', emoji: '🟡' };
}

function migration(state: OpenedRun): string[] {
  if (state.purpose.kind === 'operation') return [];
  const { from, to } = state.runbook.migration;
  return [state.purpose.kind === 'rollback' ? `${line(to)} → ${line(from)}` : `${line(from)} → ${line(to)}`];
}

/** Every step when there is room; otherwise phases that are done shrink to their count. */
function phaseBlocks(state: OpenedRun): Block[] {
  const listed = listedBlocks(state);
  const full = listed.map((each) => phaseText(state, each, true));
  const room = LIMITS.characters - 3_000;
  const fits = full.reduce((sum, text) => sum + text.length, 0) <= room;
  const texts = fits
    ? full
    : listed.map((each) => phaseText(state, each, blockProgress(state, each.ref).status === 'running'));
  return texts.map((text) => section(text));
}

function phaseText(state: OpenedRun, each: ListedBlock, withSteps: boolean): string {
  const { ref, block } = each;
  const progress = blockProgress(state, ref);
  const title = `*${line(block.title)}*`;
  if (progress.status === 'pending') {
    const gate = block.gate === 'none' ? '' : `, needs ${plural(block.gate.approvals, 'approval')}`;
    return `${title} · ${plural(block.steps.length, 'step')}${gate}`;
  }
  const took =
    progress.startedAt !== null && progress.finishedAt !== null
      ? ` in ${duration(progress.finishedAt - progress.startedAt)}`
      : '';
  const head = `${title} · ${progress.status === 'done' ? 'done' : 'under way'}${took} · ${tally(state, each)}`;
  if (!withSteps) return `${head}${progress.status === 'done' ? doneWithout(state, ref) : ''}`;
  const lines = block.steps.map((step) => {
    const at = stepProgress(state, ref, step.id);
    const time = at.durationMs === null ? '' : ` · ${duration(at.durationMs)}`;
    const again = at.attempt > 1 ? ` · attempt ${at.attempt}` : '';
    const how = at.status === 'passed' || at.status === 'pending' ? '' : ` · ${at.status}`;
    const told =
      at.status === 'failed' || at.status === 'unknown' ? `: ${cutMrkdwn(line(at.summary), 200)}` : '';
    return `${mark(at.status)} ${line(step.title)}${how}${time}${again}${told}`;
  });
  return `${head}\n${fitLines(lines, LIMITS.section - head.length - 50, 'steps')}`;
}
