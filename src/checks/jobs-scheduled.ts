import { z } from 'zod';
import type { TargetConfig } from '../config.js';
import type { JobsConfig } from '../config-jobs.js';
import { Duration } from '../runbook/definition.js';
import type { JobName } from '../runbook/jobs/names.js';
import type { JobOverview, JobRunRecord, JobsPort } from '../runbook/jobs/port.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { jobsOf, SomeJobs, sayJobs } from './jobs/arguments.js';
import { elsewhere, jobsPlace, nothingToSurvey } from './jobs/place.js';
import { jobParts } from './jobs/settings.js';
import { atWork, overviewOf, pause, sayLeader, standing } from './jobs/standing.js';
import { failed, listed, passed, spoken, unknown } from './outcome.js';

const Args = z.strictObject({
  jobs: SomeJobs,
  state: z.enum(['on', 'off'], 'expected "on" or "off", in quotes'),
  /** With `on`: the job that is due next must run and pass within this, ms. */
  within: Duration.optional(),
});

const lookEveryMs = 300;

/** Whether schedules are on and nothing keeps them from running, or off and nothing of them is at work. */
export function jobsScheduled(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.scheduled',
    changes: false,
    args: Args,
    describe(args, { target }) {
      const jobs = sayJobs(jobsOf(args.jobs));
      const waiting =
        args.within === undefined
          ? ''
          : `, and that the next of them runs by its schedule and passes within ${spoken(args.within)}`;
      return {
        words:
          args.state === 'on'
            ? `Make sure that the schedules of ${jobs} of ${target.name} are on and wait for nothing${waiting}.`
            : `Make sure that the schedules of ${jobs} of ${target.name} are off and that no run is under way.`,
        commands: [],
      };
    },
    async survey(args, { target }) {
      const place = jobsPlace(deps, target.name, 'look at');
      if (place.kind !== 'here') return nothingToSurvey(place);
      return { kind: 'surveyed', parts: jobParts(place.jobs, jobsOf(args.jobs)), sql: [], warnings: [] };
    },
    async run(args, context) {
      const place = jobsPlace(deps, context.target.name, 'look at');
      if (place.kind !== 'here') return elsewhere(place);
      const seen = await overviewOf(place.port, jobsOf(args.jobs));
      if (args.state === 'off') return off(seen, place.jobs, deps.now());
      const outcome = on(seen);
      if (outcome.result !== 'passed' || args.within === undefined) return outcome;
      return firstRun(place.port, seen, args.within, context);
    },
  });
}

function on(seen: readonly JobOverview[]): Outcome {
  const output = [standing(seen), ...waiting(seen)].join('\n');
  const problems = seen.flatMap((job) => {
    if (job.paused !== null) return [`${job.job} is switched off (${job.paused.reason})`];
    if (job.waitsFor !== null && job.waitsFor.length > 0)
      return [`${job.job} waits for ${job.waitsFor.join(', ')}`];
    return job.nextRun === null ? [`${job.job} has no next run`] : [];
  });
  if (problems.length > 0) return failed(problems.join('; '), { output });
  const unread = seen.filter(({ waitsFor }) => waitsFor === null).map(({ job }) => job);
  if (unread.length > 0) {
    return unknown(
      `the schedules are on; whether ${listed(unread)} can run could not be read from the target`,
      {
        output,
      },
    );
  }
  const next = soonest(seen);
  const first = next === undefined ? '' : `; next is ${next.job} (${next.words})`;
  return passed(`the schedules of ${sayJobs(seen.map(({ job }) => job))} are on${first}`, { output });
}

function off(seen: readonly JobOverview[], jobs: JobsConfig, now: number): Outcome {
  const output = [standing(seen), '', ...seen.map((job) => sayLeader(job, now))].join('\n');
  const { busy, unread } = atWork(seen, jobs, now);
  const problems = seen.flatMap((job) => [
    ...(job.paused === null ? [`${job.job} is switched on`] : []),
    ...(busy.includes(job.job) ? [`a run of ${job.job} is under way, or its lock is still held`] : []),
  ]);
  if (problems.length > 0) return failed(problems.join('; '), { output });
  if (unread.length > 0) {
    return unknown(
      `the schedules are off; whether ${listed(unread)} is at work could not be read from the target`,
      {
        output,
      },
    );
  }
  return passed(`the schedules of ${sayJobs(seen.map(({ job }) => job))} are off, and no run is under way`, {
    output,
  });
}

/** Waits for the next run by a schedule, of whichever job is due first. */
async function firstRun(
  port: JobsPort,
  seen: readonly JobOverview[],
  withinMs: number,
  { signal, startedAt }: StepContext<TargetConfig>,
): Promise<Outcome> {
  const next = soonest(seen);
  if (next === undefined) return failed('no job has a next run');
  const { job, words } = next;
  const deadline = performance.now() + withinMs;
  for (;;) {
    const run = await newest(port, job, startedAt);
    const output = standing(seen);
    if (run !== undefined) {
      const said = `${job} ran by its schedule (${words})`;
      return run.outcome === 'passed'
        ? passed(`the schedules of ${sayJobs(seen.map((s) => s.job))} are on; ${said}: ${run.summary}`, {
            output,
          })
        : failed(`${said} and did not pass: ${run.summary} ${run.advice}`.trim(), {
            output: [output, run.output].join('\n\n'),
          });
    }
    if (signal.aborted || performance.now() >= deadline) {
      return failed(`the schedules are on, but ${job} (${words}) did not run within ${spoken(withinMs)}`, {
        output,
      });
    }
    await pause(lookEveryMs, signal);
  }
}

/** The first run by the schedule since a moment that came to an end of its own; a taken lock is no run. */
async function newest(port: JobsPort, job: JobName, since: number): Promise<JobRunRecord | undefined> {
  const runs = await port.log(job, 10);
  return runs.findLast(
    ({ trigger, outcome, startedAt }) =>
      (trigger === 'schedule' || trigger === 'made-up') &&
      startedAt >= since &&
      outcome !== 'running' &&
      outcome !== 'skipped',
  );
}

function soonest(seen: readonly JobOverview[]): JobOverview | undefined {
  return seen
    .filter(({ nextRun }) => nextRun !== null)
    .reduce<JobOverview | undefined>(
      (first, job) => (first === undefined || (job.nextRun ?? 0) < (first.nextRun ?? 0) ? job : first),
      undefined,
    );
}

function waiting(seen: readonly JobOverview[]): string[] {
  return seen.flatMap(({ job, waitsFor }) => (waitsFor ?? []).map((what) => `${job} waits for: ${what}`));
}
