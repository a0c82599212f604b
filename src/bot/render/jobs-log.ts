import type { JobName } from '../../runbook/jobs/names.js';
import type { JobRunRecord } from '../../runbook/jobs/port.js';
import { code, line, prose } from './escape.js';
import { figures, outcomeMark, outcomeWords, outputBlocks, triggerWords } from './job-words.js';
import { cutMrkdwn, fitLines } from './limits.js';
import { context, header, message, type Rendered, section } from './message.js';
import { moment, plural, sentence } from './words.js';

/** `/m10 jobs log JOB`: its last runs, newest first, with what the newest one that says something said. */
export function renderJobsLog(shown: {
  readonly job: JobName;
  readonly runs: readonly JobRunRecord[];
}): Rendered {
  const { job, runs } = shown;
  const title = `Log of ${job}`;
  const [newest] = runs;
  if (newest === undefined) {
    const none = `${code(job)} has not run yet. ${code(`/m10 jobs run ${job}`)} runs it once now.`;
    return message(none, [section(none)]);
  }
  const about = `${title}: ${plural(runs.length, 'run')}, newest first. The newest ${outcomeWords(newest)}. ${line(sentence(newest.summary))}`;
  // What a failure said is what people come for; a run that passed comes second.
  const telling = runs.find((run) => run.outcome === 'failed') ?? newest;
  return message(about, [
    header(title),
    ...halves(runs.map(lineOf)).map((lines) => section(fitLines(lines, 2_800, 'runs'))),
    ...detail(telling),
  ]);
}

function lineOf(run: JobRunRecord): string {
  const summary = run.summary === '' ? '' : ` · ${cutMrkdwn(line(sentence(run.summary)), 200)}`;
  return `${outcomeMark(run.outcome)} ${moment(run.startedAt)} · ${outcomeWords(run)} · ${triggerWords(run)}${summary}`;
}

function detail(run: JobRunRecord) {
  const counted = figures(run.counts);
  const blocks = outputBlocks(run.output, 'The rest is in the table of runs.');
  if (counted === '' && blocks.length === 0 && run.advice === '') return [];
  const what = `*The run of ${moment(run.startedAt)}, which ${outcomeWords(run)}*`;
  const advice = run.advice === '' ? '' : prose(cutMrkdwn(run.advice, 600));
  return [
    section([what, advice].filter((part) => part !== '').join('\n')),
    ...blocks,
    ...(counted === '' ? [] : [context(counted)]),
  ];
}

/** Two paragraphs: one has no room for twenty runs. */
function halves(lines: readonly string[]): string[][] {
  const first = lines.slice(0, 10);
  const second = lines.slice(10);
  return [first, second].filter((half) => half.length > 0);
}
