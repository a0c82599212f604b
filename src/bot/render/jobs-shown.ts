import type { JobOverview, JobRunRecord } from '../../runbook/jobs/port.js';
import type { JobRequest, Pause } from '../../runbook/jobs/state.js';
import { code, line, person } from './escape.js';
import { ago, outcomeMark, outcomeWords } from './job-words.js';
import { cutMrkdwn, fitLines } from './limits.js';
import { context, header, message, type Rendered, section } from './message.js';
import { duration, moment, plural, sentence, utc } from './words.js';

/** A fifth of a message, and some left for its head. */
const MOST_OF_A_JOB = 2_100;

/** `/m10 jobs`: each job, when it runs, how it ended last, who leads it, why it does not run. */
export function renderJobs(shown: {
  readonly target: string;
  readonly jobs: readonly JobOverview[];
  readonly requests: readonly JobRequest[];
  readonly now: number;
}): Rendered {
  const { jobs, requests, now } = shown;
  const on = jobs.filter((job) => job.paused === null).length;
  const unwell = jobs.filter((job) => job.failures > 0);
  const title = `Jobs of ${line(shown.target)}`;
  const told = [
    `${title}: ${on} of ${jobs.length} switched on.`,
    unwell.length === 0
      ? ''
      : `Failing: ${unwell.map((j) => `${j.job} (${j.failures} in a row)`).join(', ')}.`,
    ...jobs.map((job) => `${job.job}: ${lastPlain(job.last, now)}`),
  ];
  return message(
    told.filter((part) => part !== '').join(' '),
    [
      header(`Jobs of ${shown.target}`),
      ...jobs.map((job) => {
        const asked = requests.filter((request) => request.job === job.job);
        return section(fitLines(linesOf(job, asked, now), MOST_OF_A_JOB, 'lines'));
      }),
    ],
    [
      context(
        `${code('/m10 jobs run JOB')} runs one now, ${code('/m10 jobs log JOB')} shows its last runs, ${code('/m10 jobs pause JOB')} switches one off.`,
      ),
    ],
  );
}

function linesOf(job: JobOverview, asked: readonly JobRequest[], now: number): string[] {
  const zone = job.timezone === 'UTC' ? 'UTC' : line(job.timezone);
  return [
    `*${line(job.job)}* · ${line(job.words)} (${zone})`,
    ...(job.command === null ? [] : [`Runs the team's own command ${code(job.command)}`]),
    last(job.last, now),
    ...(job.failures > 1
      ? [`${plural(job.failures, 'failure')} in a row. ${code(`/m10 jobs log ${job.job}`)} shows them.`]
      : []),
    job.paused === null ? next(job.nextRun) : paused(job.paused, now),
    ...asked.map(
      (r) =>
        `${r.dryRun ? 'A dry run' : 'A run'} that ${person(r.by)} asked for ${ago(now - r.at)} waits or is running`,
    ),
    ...(job.leader === null ? [] : [leader(job.leader, now)]),
    ...waits(job.waitsFor),
  ];
}

function last(run: JobRunRecord | null, now: number): string {
  if (run === null) return 'Has not run yet';
  const took = run.durationMs === null ? '' : ` in ${duration(run.durationMs)}`;
  const summary = run.summary === '' ? '' : `: ${cutMrkdwn(line(sentence(run.summary)), 400)}`;
  const since = run.finishedAt ?? run.startedAt;
  const about =
    run.outcome === 'running' ? `Last run: began ${ago(now - since)}` : `Last run: ${ago(now - since)}`;
  return `${outcomeMark(run.outcome)} ${about}, ${outcomeWords(run.outcome, run.dryRun)}${took}${summary}`;
}

function lastPlain(run: JobRunRecord | null, now: number): string {
  if (run === null) return 'has not run yet.';
  return `${outcomeWords(run.outcome, run.dryRun)} ${ago(now - (run.finishedAt ?? run.startedAt))}.`;
}

function next(at: number | null): string {
  return at === null ? 'No next run is known' : `Next run: ${moment(at)}, that is ${utc(at)}`;
}

function paused({ by, reason, at, run }: Pause, now: number): string {
  if (by === null) return `Off: ${line(reason)}. ${code('/m10 jobs resume JOB')} switches it on`;
  const when = at === null ? '' : ` ${ago(now - at)}`;
  const within = run === null ? '' : ` in run ${run}`;
  const why = reason === '' ? ', without a reason' : `: ${cutMrkdwn(line(reason), 500)}`;
  return `⏸ Paused by ${person(by)}${when}${within}${why}`;
}

function leader(lock: NonNullable<JobOverview['leader']>, now: number): string {
  const whose = lock.ours ? ', one of this bot' : ', which is not this bot';
  const left = lock.expiresAt - now;
  const until = left > 0 ? `for ${duration(left)} more at least` : `though its lock expired ${ago(-left)}`;
  return `Led by ${code(lock.holder)}${whose}, ${until}`;
}

function waits(missing: readonly string[] | null): string[] {
  if (missing === null) return ['What it needs of the target could not be read'];
  if (missing.length === 0) return [];
  return [`Waits for: ${missing.map((each) => line(each)).join('; ')}`];
}
