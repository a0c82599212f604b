import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { jobsOf, SomeJobs, sayJobs } from '../../checks/jobs/arguments.js';
import { elsewhere, jobsPlace, nothingToSurvey } from '../../checks/jobs/place.js';
import { jobParts } from '../../checks/jobs/settings.js';
import { atWork, overviewOf, pause, sayLeader, standing, untilStill } from '../../checks/jobs/standing.js';
import { failed, listed, passed, unknown } from '../../checks/outcome.js';
import type { TargetConfig } from '../../config.js';
import type { JobsConfig } from '../../config-jobs.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobOverview, JobsPort } from '../../runbook/jobs/port.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../../runbook/step-kind.js';

const retryMs = 500;

const Args = z.strictObject({
  jobs: SomeJobs,
  /** Why; shown by `/m10 jobs` until somebody switches them on again. */
  reason: z.string().min(3, 'expected a reason of at least 3 characters').max(200).optional(),
});

/** Switches schedules off and waits until nothing of them is at work any more. */
export function jobsPause(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.pause',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Switch off the schedules of ${sayJobs(jobsOf(args.jobs))} of ${target.name}, and wait until a run that is under way has ended. They stay off until somebody switches them on.`,
      commands:
        args.jobs === 'all' ? ['/m10 jobs pause all'] : args.jobs.map((job) => `/m10 jobs pause ${job}`),
    }),
    async survey(args, { target }) {
      const place = jobsPlace(deps, target.name, 'pause');
      if (place.kind !== 'here') return nothingToSurvey(place);
      return { kind: 'surveyed', parts: jobParts(place.jobs, jobsOf(args.jobs)), sql: [], warnings: [] };
    },
    async run(args, context) {
      const place = jobsPlace(deps, context.target.name, 'pause');
      if (place.kind !== 'here') return elsewhere(place);
      const jobs = jobsOf(args.jobs);
      const before = await overviewOf(place.port, jobs);
      const { busy } = atWork(before, place.jobs, deps.now());
      const on = before.filter(({ paused }) => paused === null).map(({ job }) => job);
      // A run by hand may be under way although the schedule is off: a pause ends that too.
      const meant = [...new Set([...on, ...busy])];
      const trouble = meant.length === 0 ? null : await pauseAll(place.port, meant, args.reason, context);
      if (trouble !== null) return trouble;
      const seen = await untilStill(place.port, place.jobs, jobs, deps.now, context.signal);
      return stillness(seen, place.jobs, on.length, deps.now());
    },
    async probe(args, context) {
      const place = jobsPlace(deps, context.target.name, 'pause');
      if (place.kind !== 'here') return { kind: 'done', outcome: elsewhere(place) };
      const seen = await overviewOf(place.port, jobsOf(args.jobs));
      const on = seen.filter(({ paused }) => paused === null).map(({ job }) => job);
      const { busy, unread } = atWork(seen, place.jobs, deps.now());
      // To pause again harms nothing, and waits for what is under way.
      if (on.length + busy.length + unread.length > 0) {
        const left = on.length === 0 ? 'a run may be under way' : `${listed(on)} still on`;
        return { kind: 'not_done', evidence: left };
      }
      return { kind: 'done', outcome: stillness(seen, place.jobs, 0, deps.now()) };
    },
  });
}

/**
 * Asks for the pause until all that was under way has ended, or the time of the step is over.
 * @returns null when it is so
 */
async function pauseAll(
  port: JobsPort,
  jobs: readonly JobName[],
  reason: string | undefined,
  { requester, run, step, signal }: StepContext<TargetConfig>,
): Promise<Outcome | null> {
  for (;;) {
    try {
      await port.pause({ jobs, by: requester, reason: reason ?? step.title, run });
      return null;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const seen = await overviewOf(port, jobs);
      const off = seen.every(({ paused }) => paused !== null);
      // Switched off they are; the port has waited for a minute, and may wait for another.
      if (!off || signal.aborted) return failed(why, { output: standing(seen) });
      await pause(retryMs, signal);
    }
  }
}

/** What the last look says: all off and still, or which run the pause still waits for. */
function stillness(seen: readonly JobOverview[], jobs: JobsConfig, switched: number, now: number): Outcome {
  const { busy, unread } = atWork(seen, jobs, now);
  const output = [standing(seen), '', ...seen.map((job) => sayLeader(job, now))].join('\n');
  const on = seen.filter(({ paused }) => paused === null).map(({ job }) => job);
  if (on.length > 0) {
    return failed(`${listed(on)}: switched on again by somebody meanwhile; pause once more`, { output });
  }
  if (busy.length > 0) {
    return failed(
      `the schedules are off, but ${listed(busy)} may still be at work: its lock is held. If the replica that had it is gone, the lock ends by itself; \`/m10 locks\` shows when. Then retry`,
      { output },
    );
  }
  if (unread.length > 0) {
    return unknown(
      `the schedules are off; whether ${listed(unread)} is still at work could not be read from the target`,
      { output },
    );
  }
  const others = seen.filter(({ leader }) => leader !== null && !leader.ours).map(({ job }) => job);
  const beware =
    others.length === 0
      ? ''
      : `. Beware: a worker that is not this bot has the lock of ${listed(others)}; the output names it`;
  const were = switched === 0 ? 'were off already' : 'are off';
  return passed(
    `the schedules of ${sayJobs(seen.map((s) => s.job))} ${were}, and no run is under way${beware}`,
    {
      output,
    },
  );
}
