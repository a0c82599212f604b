import type { JobEventOf } from '../../runbook/jobs/events.js';
import { line, person } from './escape.js';
import { outputBlocks } from './job-words.js';
import { cutMrkdwn } from './limits.js';
import { context, message, type Rendered, section } from './message.js';
import { duration, sentence } from './words.js';

type Started = JobEventOf<'OperationStarted'>;
type Finished = JobEventOf<'OperationFinished'>;

const signs: Readonly<Record<Finished['result'], string>> = { passed: '✅', failed: '🔴', unknown: '⚠️' };
const results: Readonly<Record<Finished['result'], string>> = {
  passed: 'done',
  failed: 'failed',
  unknown: 'nobody knows whether it was done',
};

/** A quick change outside any run: that it began, and in the same message what came of it. */
export function renderOperation(event: Started | Finished): Rendered {
  const what = cutMrkdwn(line(event.what), 500);
  if (event.type === 'OperationStarted') {
    const told = `🔵 ${person(event.by)}: ${what}. It is under way.`;
    return message(told, [section(told)]);
  }
  const { by, result, durationMs, operation } = event;
  const took = result === 'unknown' ? '' : `, in ${duration(durationMs)}`;
  const head = `${what}: ${results[result]}${took}.`;
  const found = cutMrkdwn(line(sentence(event.summary)), 1_500);
  return message(
    `${signs[result]} ${head} ${found}`,
    [
      section(`${signs[result]} *${head}*\n${found}`),
      ...outputBlocks(event.output, 'The journal has more of it.'),
    ],
    [context(`By ${person(by)}, operation ${operation}`)],
  );
}

/** Calls whoever did it: an updated message notifies nobody. */
export function renderOperationReply({ what, by, result, summary }: Finished): Rendered {
  const told = `${person(by)}, ${cutMrkdwn(line(what), 300)}: ${results[result]}. ${cutMrkdwn(line(sentence(summary)), 600)}`;
  return message(told, [section(told)]);
}
