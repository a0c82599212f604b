import type { JobEventOf } from '../../runbook/jobs/events.js';
import { code, line, person, prose } from './escape.js';
import { figures, outcomeEmoji, outcomeWords, outputBlocks } from './job-words.js';
import { cutMrkdwn, cutText } from './limits.js';
import { context, message, type Rendered, section } from './message.js';
import { sentence } from './words.js';

type Requested = JobEventOf<'JobRunRequested'>;
type Finished = JobEventOf<'JobRunFinished'>;

/** A run by hand: that it was asked for, and in the same message what came of it. */
export function renderJobRun(event: Requested | Finished): Rendered {
  return event.type === 'JobRunRequested' ? asked(event) : ended(event);
}

function asked({ job, by, dryRun, request }: Requested): Rendered {
  const what = dryRun
    ? `a dry run of ${code(job)}, which changes nothing.`
    : `a run of ${code(job)} outside its schedule.`;
  const who = `🔵 ${person(by)} asked for ${what}`;
  return message(`${who} Its result comes here.`, [
    section(`${who}\nIts result comes here.`),
    context(`Request ${request}`),
  ]);
}

function ended(event: Finished): Rendered {
  const { job, by, dryRun, outcome, summary, counts, output, request } = event;
  const what = `${code(job)} ${outcomeWords(event)}.`;
  const found = cutMrkdwn(line(sentence(summary)), 1_500);
  const figured = figures(counts);
  const sign = outcomeEmoji(outcome);
  return message(
    [sign, what, dryRun ? nothingChanged : '', found, afterwards(event)].filter(filled).join(' '),
    [
      section(
        [`${sign} *${what}*`, dryRun ? `*${nothingChanged}*` : '', found, afterwards(event)]
          .filter(filled)
          .join('\n'),
      ),
      ...outputBlocks(output, `${code(`/m10 jobs log ${job}`)} has more of it.`),
      ...(figured === '' ? [] : [context(figured)]),
    ],
    [context(`Asked for by ${person(by)}, request ${request}`)],
  );
}

const nothingChanged = 'A dry run: nothing was changed.';

/** Calls whoever asked: an updated message notifies nobody. */
export function renderJobRunReply(event: Finished): Rendered {
  const { job, by, summary } = event;
  const told = `${person(by)}, ${code(job)} ${outcomeWords(event)}. ${cutMrkdwn(line(sentence(summary)), 600)}`;
  return message(told, [section(told)]);
}

function afterwards({ job, outcome, advice }: Finished): string {
  switch (outcome) {
    case 'passed':
      return '';
    case 'failed':
      return `${prose(cutText(advice, 1_000))} ${code(`/m10 jobs run ${job}`)} tries again.`.trim();
    case 'skipped':
      return `It did not run. ${code('/m10 jobs')} shows what it waits for, ${code('/m10 locks')} who holds its lock.`;
    case 'lost':
      return `It stopped on the way; what it had done until then stays, and the next run goes on from there. ${code('/m10 locks')} shows who holds its lock.`;
  }
}

const filled = (part: string) => part !== '';
