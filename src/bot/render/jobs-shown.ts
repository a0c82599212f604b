import type { JobOverview, JobRunRecord } from '../../runbook/jobs/port.js';
import type { JobRequest, Pause } from '../../runbook/jobs/state.js';
import { code, line, person } from './escape.js';
import { ago, outcomeMark, outcomeWords, rough } from './job-words.js';
import { cutMrkdwn, cutText, fitLines } from './limits.js';
import { context, header, message, type Rendered, section } from './message.js';
import { moment, plural, sentence } from './words.js';

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
        `${code('/m10 jobs run JOB')} runs one now, with an approval where its schedule has none, ${code('/m10 jobs log JOB')} shows its last runs, ${code('/m10 jobs pause JOB')} switches one off.`,
      ),
    ],
  );
}

function linesOf(job: JobOverview, asked: readonly JobRequest[], now: number): string[] {
  // One failure that was the last run is told by that line already.
  const more = job.failures > (job.last?.outcome === 'failed' ? 1 : 0);
  return [
    `*${line(job.job)}* · ${line(job.words)}`,
    ...(job.command === null ? [] : [`Runs the team's own command ${code(cutText(job.command, 300))}`]),
    last(job.last, now),
    ...(more
      ? [`${plural(job.failures, 'failure')} in a row. ${code(`/m10 jobs log ${job.job}`)} shows them.`]
      : []),
    ...(job.paused === null ? [next(job.nextRun, now), covered(job)] : [paused(job, job.paused, now)]),
    ...asked.map(
      (r) =>
        `${r.dryRun ? 'A dry run' : 'A run'} that ${person(r.by)} asked for ${ago(now - r.at)} waits or runs`,
    ),
    ...(job.leader === null ? [] : [leader(job.leader, now)]),
    ...waits(job.waitsFor),
  ];
}

function last(run: JobRunRecord | null, now: number): string {
  if (run === null) return 'Has not run yet';
  const mark = outcomeMark(run.outcome);
  if (run.outcome === 'running')
    return `${mark} Last run: began ${ago(now - run.startedAt)}, ${outcomeWords(run)}`;
  const summary = run.summary === '' ? '' : `: ${cutMrkdwn(line(sentence(run.summary)), 400)}`;
  return `${mark} Last run: ${ago(now - (run.finishedAt ?? run.startedAt))}, ${outcomeWords(run)}${summary}`;
}

function lastPlain(run: JobRunRecord | null, now: number): string {
  if (run === null) return 'has not run yet.';
  const ended = run.outcome !== 'running' ? ` ${ago(now - (run.finishedAt ?? run.startedAt))}` : '';
  return `${outcomeWords(run)}${ended}.`;
}

function next(at: number | null, now: number): string {
  if (at === null) return 'No next run is known';
  return `Next run: ${moment(at)}${at > now ? `, in ${rough(at - now)}` : ''}`;
}

function covered({ job, cover }: JobOverview): string {
  const approval = cover?.approval ?? null;
  if (approval === null) {
    return `On without an approval. ${code(`/m10 jobs resume ${job}`)} asks for one, ${code(`/m10 jobs pause ${job}`)} switches it off`;
  }
  return `Approved by ${approval.approvers.map(person).join(' and ')} in run ${approval.run}`;
}

function paused({ job }: JobOverview, { by, reason, at, run }: Pause, now: number): string {
  if (by === null) {
    return `Off: ${cutMrkdwn(line(reason), 500)}. ${code(`/m10 jobs resume ${job}`)} asks for an approval to switch it on`;
  }
  const when = at === null ? '' : ` ${ago(now - at)}`;
  const within = run === null ? '' : ` in run ${run}`;
  const why = reason === '' ? ', without a reason' : `: ${cutMrkdwn(line(reason), 500)}`;
  return `⏸ Paused by ${person(by)}${when}${within}${why}`;
}

function leader(lock: NonNullable<JobOverview['leader']>, now: number): string {
  const who = `${code(cutText(lock.holder, 200))} (${lock.ours ? 'm10bot' : 'not m10bot'})`;
  const left = lock.expiresAt - now;
  return left > 0
    ? `Leader: ${who}, for ${rough(left)} more at least`
    : `Led by nobody: the lock of ${who} expired ${ago(-left)}`;
}

function waits(missing: readonly string[] | null): string[] {
  if (missing === null) return ['What it needs of the target could not be read'];
  if (missing.length === 0) return [];
  return [`Waits for: ${missing.map((each) => line(each)).join('; ')}`];
}
