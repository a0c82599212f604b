import { type BlockRef, findBlock } from '../../runbook/definition.js';
import type { EventOf } from '../../runbook/events.js';
import { type OpenedRun, stepKey } from '../../runbook/state.js';
import { line, person } from './escape.js';
import { fitLines, headLines, tailLines } from './limits.js';
import { type Block, preformatted, section } from './message.js';
import { duration, mark, sentence } from './words.js';

type Finished = EventOf<'StepFinished'>;

const LINES_SHOWN = 12;
const CHARACTERS_SHOWN = 1_500;

/** One piece of a message in a run's thread; pieces that come close together share a message. */
export interface Piece {
  /** One line of mrkdwn, which is also what the notification says. */
  readonly line: string;
  /** Output below it. */
  readonly blocks: readonly Block[];
}

/** The result of a step, with the first lines of its output; a failure shows the last ones. */
export function renderStep(state: OpenedRun, event: Finished): Piece {
  const title = stepTitle(state, event.block, event.step);
  const again = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
  const recovered = event.recovered ? ' (found out after an interruption)' : '';
  const told = `${mark(event.result)} *${line(title)}* ${event.result}${recovered} · ${duration(event.durationMs)}${again}\n${mentioned(line(sentence(event.summary)), event.data.people)}${noted(event)}`;
  if (event.output.trim() === '') return { line: told, blocks: [] };
  const { text, cut } =
    event.result === 'passed'
      ? headLines(event.output, LINES_SHOWN, CHARACTERS_SHOWN)
      : tailLines(event.output, LINES_SHOWN, CHARACTERS_SHOWN);
  const note = cut || event.outputFile !== null ? [section(`_The whole output follows as a file._`)] : [];
  return { line: told, blocks: [preformatted(text), ...note] };
}

/** Whether a step's output is longer than what its result shows. */
export function outputIsLonger(event: Finished): boolean {
  return (
    event.outputFile !== null ||
    (event.output.trim() !== '' && headLines(event.output, LINES_SHOWN, CHARACTERS_SHOWN).cut)
  );
}

/** The name of the file with a step's whole output: unique in its run's thread. */
export function outputFilename(run: number, event: Finished): string {
  const step = stepKey(event.block, event.step).replace(/[^a-zA-Z0-9._-]+/g, '.');
  return `run-${run}-${step}-${event.attempt}.log`;
}

/** Warnings of a step, one line each, right below its result. */
function noted({ notes = [] }: Finished): string {
  if (notes.length === 0) return '';
  const lines = notes.map((note) => `⚠️ ${line(sentence(note))}`);
  return `\n${fitLines(lines, 1_200, 'warnings')}`;
}

export function stepTitle(state: OpenedRun, ref: BlockRef, step: string): string {
  return findBlock(state.runbook, ref)?.steps.find((s) => s.id === step)?.title ?? step;
}

/** People whom the step itself names in its data may be mentioned; whatever else looks like one stays text. */
function mentioned(text: string, people: unknown): string {
  if (!Array.isArray(people)) return text;
  return people
    .filter((id): id is string => typeof id === 'string' && person(id) !== line(id))
    .reduce((told, id) => told.replaceAll(`&lt;@${id}&gt;`, person(id)), text);
}
