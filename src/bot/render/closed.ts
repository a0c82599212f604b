import { standsBeside } from '../../runbook/beside.js';
import { describeCover } from '../../runbook/decide/words.js';
import type { EventOf } from '../../runbook/events.js';
import { leftOut } from '../../runbook/left-out.js';
import { blockProgress, type GateStatus, type OpenedRun, stepProgress } from '../../runbook/state.js';
import { standing } from './card.js';
import { line, person } from './escape.js';
import { doneWithout, exceptionBlocks, skippedNames } from './exceptions.js';
import { fitLines } from './limits.js';
import { context, header, message, type Rendered, section } from './message.js';
import { type ChainHead, chainWords } from './notes.js';
import { listedBlocks, runTitle, tally, whatNow } from './now.js';
import { untrustedBlocks } from './untrusted.js';
import { duration, mark, people, sentence, targetLine, targetWords } from './words.js';

/** The end of a run: its outcome, who did what, how long it took, where each target is. */
export function renderClosed(state: OpenedRun, event: EventOf<'RunClosed'>, head: ChainHead): Rendered {
  if (standsBeside(state)) return renderBesideClosed(state, event, head);
  const { word, emoji } = standing(state);
  const took = state.closed === null ? '' : ` It took ${duration(state.closed.at - state.openedAt)}.`;
  const who =
    event.by === 'm10bot'
      ? `Driven by ${person(state.requester)}.`
      : `Closed by ${person(event.by)}${event.reason === '' ? '' : `: ${line(event.reason)}`}.`;
  const targets = event.targets.map((t) => `• ${targetLine(t)}`);
  const at = event.targets.map(targetWords).join('; ');
  const skips = leftOut(state);
  return message(
    `${emoji} Run ${state.run} is closed: ${word}.${skips.length === 0 ? '' : ` ${sentence(skippedNames(skips))}`} ${who} ${at}`,
    [
      header(`${emoji} Run ${state.run} is closed: ${word}`),
      section(`${line(runTitle(state))}. ${who}${took}`),
      ...untrustedBlocks(state),
      ...exceptionBlocks(state),
      section(
        `*Where the targets are*\n${fitLines(targets, 1_500, 'targets') || 'No target was looked at.'}`,
      ),
      section(`*What was done*\n${fitLines(done(state), 2_600, 'phases') || 'Nothing was started.'}`),
      ...approvals(state),
    ],
    [section(whatNow(state)), context(chainWords(head))],
  );
}

/** An operation beside the migration: what came of it, and nothing of phases and revisions. */
function renderBesideClosed(state: OpenedRun, event: EventOf<'RunClosed'>, head: ChainHead): Rendered {
  const { word, emoji } = standing(state);
  const title = line(runTitle(state));
  const came = listedBlocks(state).flatMap(({ ref, block }) =>
    block.steps.flatMap((step) => {
      const { status, summary } = stepProgress(state, ref, step.id);
      return status === 'pending' || summary === '' ? [] : [`${mark(status)} ${line(sentence(summary))}`];
    }),
  );
  const what = fitLines(came, 2_600, 'steps') || 'Nothing was done.';
  const who = `Asked for by ${person(state.requester)}${event.by === 'm10bot' ? '' : `, closed by ${person(event.by)}`}${event.reason === '' ? '' : `: ${line(event.reason)}`}.`;
  return message(
    `${emoji} Run ${state.run} is closed: ${word}. ${title}. ${what}`,
    [
      header(`${emoji} Run ${state.run} is closed: ${word}`),
      section(`*${title}*\n${what}\n${who}`),
      ...untrustedBlocks(state),
      ...exceptionBlocks(state),
      ...approvals(state),
    ],
    [context(chainWords(head))],
  );
}

function done(state: OpenedRun): string[] {
  return listedBlocks(state).flatMap((each) => {
    const at = blockProgress(state, each.ref);
    if (at.status === 'pending') return [`• ${line(each.block.title)}: not started`];
    const took =
      at.startedAt !== null && at.finishedAt !== null
        ? ` in ${duration(at.finishedAt - at.startedAt)}`
        : ', not finished';
    return [`• ${line(each.block.title)}: ${tally(state, each)}${took}${doneWithout(state, each.ref)}`];
  });
}

const endings: Readonly<Record<Exclude<GateStatus, 'spent'>, string>> = {
  preparing: 'never asked',
  'not-prepared': 'could not be asked',
  open: 'not answered',
  refused: 'was refused',
  expired: 'expired',
  voided: 'became void',
  cancelled: 'was withdrawn',
};

function approvals(state: OpenedRun) {
  const lines = state.gates
    .filter((gate) => gate.status !== 'not-prepared')
    .map((gate) => {
      const how =
        gate.status === 'spent'
          ? `approved by ${people(gate.approvals.map((a) => a.by))}`
          : endings[gate.status];
      return `• ${line(describeCover(state.runbook, gate.cover))}: asked for by ${person(gate.requestedBy)}, ${how}`;
    });
  return lines.length === 0 ? [] : [section(`*Requests*\n${fitLines(lines, 2_600, 'requests')}`)];
}
