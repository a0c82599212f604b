import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { jobsOf, SomeJobs, sayJobs } from '../../checks/jobs/arguments.js';
import { elsewhere, jobsPlace, nothingToSurvey } from '../../checks/jobs/place.js';
import { jobParts, scheduleLine } from '../../checks/jobs/settings.js';
import { overviewOf, standing } from '../../checks/jobs/standing.js';
import { failed, listed, passed } from '../../checks/outcome.js';
import type { TargetConfig } from '../../config.js';
import type { JobOverview } from '../../runbook/jobs/port.js';
import { defineKind, type Outcome, type StepKind } from '../../runbook/step-kind.js';

const Args = z.strictObject({ jobs: SomeJobs });

/** Switches schedules on. */
export function jobsResume(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.resume',
    changes: true,
    args: Args,
    describe(args, { target }) {
      const jobs = jobsOf(args.jobs);
      const config = deps.config.jobs;
      return {
        words: `Switch on the schedules of ${sayJobs(jobs)} of ${target.name}, whoever switched them off.`,
        commands: config === null ? [] : jobs.map((job) => scheduleLine(config, job)),
      };
    },
    async survey(args, { target }) {
      const place = jobsPlace(deps, target.name, 'switch on');
      if (place.kind !== 'here') return nothingToSurvey(place);
      return { kind: 'surveyed', parts: jobParts(place.jobs, jobsOf(args.jobs)), sql: [], warnings: [] };
    },
    async run(args, context) {
      const place = jobsPlace(deps, context.target.name, 'switch on');
      if (place.kind !== 'here') return elsewhere(place);
      const jobs = jobsOf(args.jobs);
      const off = (await overviewOf(place.port, jobs)).filter(({ paused }) => paused !== null);
      if (off.length > 0) {
        await place.port.resume({
          jobs: off.map(({ job }) => job),
          by: context.requester,
          reason: '',
          run: context.run,
        });
      }
      return switched(await overviewOf(place.port, jobs), off);
    },
    async probe(args, context) {
      const place = jobsPlace(deps, context.target.name, 'switch on');
      if (place.kind !== 'here') return { kind: 'done', outcome: elsewhere(place) };
      const seen = await overviewOf(place.port, jobsOf(args.jobs));
      const off = seen.filter(({ paused }) => paused !== null);
      return off.length === 0
        ? { kind: 'done', outcome: switched(seen, []) }
        : { kind: 'not_done', evidence: `${listed(off.map(({ job }) => job))} still off` };
    },
  });
}

function switched(seen: readonly JobOverview[], before: readonly JobOverview[]): Outcome {
  const output = [
    standing(seen),
    // What a person switched off for a reason is worth a thought.
    ...before.flatMap(({ job, paused }) =>
      paused?.by == null ? [] : [`${job} had been switched off: ${paused.reason}`],
    ),
  ].join('\n');
  const off = seen.filter(({ paused }) => paused !== null).map(({ job }) => job);
  if (off.length > 0) {
    return failed(`${listed(off)}: switched off again by somebody meanwhile`, { output });
  }
  return passed(`the schedules of ${sayJobs(seen.map(({ job }) => job))} are on`, { output });
}
