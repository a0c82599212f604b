import { standsBeside } from '../../runbook/beside.js';
import { describeBlock } from '../../runbook/decide/words.js';
import { blockKey, findBlock, targetOf } from '../../runbook/definition.js';
import type { EventOf } from '../../runbook/events.js';
import { hasChanged, type OpenedRun, stepKey, stepProgress } from '../../runbook/state.js';
import { touchedTargets } from '../../runbook/touched.js';
import { code, line, plain, prose } from './escape.js';
import { CUT_FILE, cutText, fitLines, LIMITS, tailLines } from './limits.js';
import { lossText } from './loss.js';
import {
  actions,
  type Block,
  type Button,
  button,
  context,
  header,
  message,
  preformatted,
  type Rendered,
  section,
} from './message.js';
import { offersRollback } from './now.js';
import { type PromptAction, promptActions, writePromptValue } from './prompt-value.js';
import { stepTitle } from './step.js';
import { duration, mark, plural, sentence, targetLine, targetWords } from './words.js';

export interface PromptView {
  readonly state: OpenedRun;
  readonly assessed: EventOf<'FailureAssessed'>;
  /** The failure itself; absent when the journal holds none, which a prompt can live with. */
  readonly failed: EventOf<'StepFinished'> | undefined;
  /** What people chose; then the buttons are gone. */
  readonly answer?: string;
}

/** The question that follows a failure: what happened, what is true now, what can be done. */
export function renderPrompt(view: PromptView): Rendered {
  const { state, assessed, failed, answer } = view;
  const title = stepTitle(state, assessed.block, assessed.step);
  const unknown = failed?.result === 'unknown';
  const how = unknown ? 'has a result that nobody knows' : 'failed';
  const count = assessed.others?.length ?? 0;
  const more = count === 0 ? '' : `, and ${plural(count, 'more step')} did not pass`;
  const emoji = answer === undefined ? '🔴' : '⚪';
  const step = findBlock(state.runbook, assessed.block)?.steps.find((s) => s.id === assessed.step);
  const advice = step?.['on-failure'];
  const where = line(describeBlock(state.runbook, assessed.block));
  const took = failed === undefined ? '' : ` after ${duration(failed.durationMs)}`;
  const what = failed === undefined ? '' : `\n${line(sentence(failed.summary))}`;
  const beside = standsBeside(state);
  const targets = assessed.targets.map(targetWords).join('; ') || 'unknown';
  const now = beside ? '' : ` Now: ${targets}.`;
  const may = beside ? 'retry' : `retry, skip${offersRollback(state) ? ', roll back' : ''}`;
  const { target, count: place, untouched } = placeOf(state, assessed);
  const on = target === null ? '' : ` on ${target}, ${place}`;
  const headline = (name: string) => `Run ${state.run}: ${name} ${how}${on}${more}`;
  // A long title must not push out what failed where.
  const short = cutText(title, LIMITS.header - 5 - headline('').length);
  const others =
    untouched.length === 0 || beside
      ? ''
      : `${untouched.map((name) => `*${line(name)}*`).join(', ')} ${untouched.length === 1 ? 'is' : 'are'} untouched: no step of this run has changed anything there.`;
  const body: Block[] = [
    header(`${emoji} ${headline(short)}`),
    section(
      `${code(assessed.step)} of ${where}${target === null ? '' : `, ${place}, on *${line(target)}*`} ${how}${took}, attempt ${assessed.attempt}.${what}${others === '' ? '' : `\n${others}`}`,
    ),
    ...othersBlocks(state, assessed),
    ...(advice === undefined ? [] : [section(plain(advice))]),
    ...outputBlocks(failed),
    ...(beside
      ? []
      : [
          section(
            `*State of the targets, read just now*\n${
              fitLines(
                assessed.targets.map((t) => `• ${targetLine(t)}`),
                1_500,
                'targets',
              ) || 'No target could be looked at.'
            }`,
          ),
        ]),
    ...(hasChanged(state) && !beside
      ? [
          section(
            `*What ${assessed.block.kind === 'rollback' ? 'the rest of the rollback' : 'a rollback'} would lose*\n${lossText(assessed.loss, assessed.targets, state.runbook.migration.from)}`,
          ),
        ]
      : []),
    ...(assessed.notes.length === 0
      ? []
      : [
          section(
            fitLines(
              assessed.notes.map((note) => `• ${line(note)}`),
              1_500,
              'notes',
            ),
          ),
        ]),
  ];
  if (answer !== undefined) {
    return message(`${line(headline(title))}. Answered: ${answer}`, body, [section(`*Answered:* ${answer}`)]);
  }
  const text = `${emoji} ${line(headline(title))}. ${failed === undefined ? '' : line(sentence(failed.summary))}${others === '' ? '' : ` ${others}`}${now} The run waits: ${may} or stop.`;
  return message(text, body, [choices(view, title), context(...explained(state))]);
}

/** Every other step that did not pass, with what each says, and what was not run because of it. */
function othersBlocks(state: OpenedRun, { block, others = [] }: PromptView['assessed']): Block[] {
  const lines = others.map(({ step }) => {
    const { status, summary } = stepProgress(state, block, step);
    return `${mark(status)} *${line(stepTitle(state, block, step))}* (${code(step)}) ${status}: ${line(sentence(summary))}`;
  });
  const waiting = (findBlock(state.runbook, block)?.steps ?? [])
    .filter((s) => stepProgress(state, block, s.id).status === 'pending')
    .map((s) => `· ${line(s.title)} (${code(s.id)})`);
  return [
    ...(lines.length === 0 ? [] : [section(`*Did not pass either*\n${fitLines(lines, 2_000, 'steps')}`)]),
    ...(waiting.length === 0 ? [] : [section(`*Not run*\n${fitLines(waiting, 1_000, 'steps')}`)]),
  ];
}

function outputBlocks(failed: PromptView['failed']): Block[] {
  if (failed === undefined) return [];
  if (failed.output.trim() === '') return [section('It wrote nothing.')];
  const { text, cut } = tailLines(failed.output, 15, 1_500);
  const file = cut || failed.outputFile !== null ? ` ${CUT_FILE.replace('… ', '')}` : '';
  return [section(`*End of its output*${file}`), preformatted(text)];
}

/** Where the failed step stands, and on which targets this run has changed nothing. */
function placeOf(state: OpenedRun, { block: ref, step: id }: PromptView['assessed']) {
  const block = findBlock(state.runbook, ref);
  const index = block?.steps.findIndex((s) => s.id === id) ?? -1;
  const step = block?.steps[index];
  if (block === undefined || step === undefined) return { target: null, count: '', untouched: [] };
  const target = targetOf(state.runbook, block, step);
  const touched = touchedTargets(state);
  // Without any change the notes say so, of all targets.
  const untouched = hasChanged(state)
    ? state.runbook.targets.filter((name) => name !== target && !touched.has(name))
    : [];
  return { target, count: `step ${index + 1} of ${block.steps.length}`, untouched };
}

function explained(state: OpenedRun): string[] {
  if (standsBeside(state)) {
    return ['Retry asks for a new approval. Stop ends this run, and this run alone; anyone may.'];
  }
  const rollback = offersRollback(state);
  const lines = [
    'Retry and skip ask for a new approval where something is changed or left out.',
    prose(
      `Anyone may stop; the others are for operators. The same by command: \`/m10 retry\`, \`/m10 skip STEP REASON\`, ${rollback ? '`/m10 rollback REASON`, ' : ''}\`/m10 stop\`.`,
    ),
  ];
  return rollback ? [...lines, 'A rollback needs an approval of its own.'] : lines;
}

function choices({ state, assessed }: PromptView, title: string): Block {
  const value = writePromptValue({
    run: state.run,
    block: blockKey(assessed.block),
    step: assessed.step,
    attempt: assessed.attempt,
  });
  const make = (
    action: PromptAction,
    label: string,
    ask: { title: string; text: string; yes: string },
    style?: 'primary' | 'danger',
  ): Button =>
    button({
      action: promptActions[action],
      label,
      value,
      ...(style === undefined ? {} : { style }),
      confirm: { ...ask, no: 'Not now' },
    });
  const retry = make('retry', 'Retry', {
    title: 'Retry this step?',
    text: `${title} runs again in run ${state.run}. If it changes something, a second person approves first.`,
    yes: 'Retry',
  });
  const skip = make('skip', 'Skip', {
    title: 'Skip this step?',
    text: `The run goes on without ${title}. You are asked for a reason, and a second person must approve.`,
    yes: 'Ask to skip',
  });
  const rollback = make(
    'rollback',
    'Roll back',
    {
      title: 'Ask for the rollback?',
      text: `A request for approval of the rollback of run ${state.run} is posted. Nothing is undone before a second person approves.`,
      yes: 'Ask to roll back',
    },
    'danger',
  );
  const stop = make('stop', 'Stop', {
    title: 'Stop the run?',
    text: standsBeside(state)
      ? `Run ${state.run} closes. What is done stays done.`
      : `Run ${state.run} starts no further step until an operator resumes it. What is done stays done.`,
    yes: 'Stop the run',
  });
  const id = `prompt:${state.run}:${stepKey(assessed.block, assessed.step)}:${assessed.attempt}`;
  if (standsBeside(state)) return actions(id.slice(0, 255), [retry, stop]);
  const elements = offersRollback(state) ? [retry, skip, rollback, stop] : [retry, skip, stop];
  return actions(id.slice(0, 255), elements);
}
