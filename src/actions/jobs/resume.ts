import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { jobsOf, SomeJobs, sayJobs } from '../../checks/jobs/arguments.js';
import { elsewhere, jobsPlace, nothingToSurvey } from '../../checks/jobs/place.js';
import { named, scheduleLine } from '../../checks/jobs/settings.js';
import { overviewOf, standing } from '../../checks/jobs/standing.js';
import { failed, listed, passed } from '../../checks/outcome.js';
import type { TargetConfig } from '../../config.js';
import type { PartsByJob } from '../../runbook/jobs/events.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobOverview, JobsPort } from '../../runbook/jobs/port.js';
import { differences } from '../../runbook/jobs/schedules.js';
import { defineKind, type Outcome, type StepKind, type Survey } from '../../runbook/step-kind.js';

const Args = z.strictObject({ jobs: SomeJobs });

/**
 * Switches schedules on. The approval of the step is that of what each job does from then on: it is kept with the
 * schedule, and the scheduler compares each run with it.
 */
export function jobsResume(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.resume',
    changes: true,
    holdsApproval: true,
    args: Args,
    describe(args, { target }) {
      const jobs = jobsOf(args.jobs);
      const config = deps.config.jobs;
      return {
        words: `Switch on the schedules of ${sayJobs(jobs)} of ${target.name}, whoever switched them off. From then on each runs unattended as it is now; one that changes is switched off.`,
        commands: config === null ? [] : jobs.map((job) => scheduleLine(config, job)),
      };
    },
    async survey(args, { target }) {
      const place = jobsPlace(deps, target.name, 'switch on');
      if (place.kind !== 'here') return nothingToSurvey(place);
      const read = await readParts(place.port, jobsOf(args.jobs));
      return read.kind === 'failed' ? read : surveyed(read.parts);
    },
    async run(args, context) {
      const place = jobsPlace(deps, context.target.name, 'switch on');
      if (place.kind !== 'here') return elsewhere(place);
      const { approval } = context;
      if (approval === null || approval.approvers.length === 0) {
        return failed('not switched on: no approval covers it. Give its block a gate in the runbook');
      }
      const jobs = jobsOf(args.jobs);
      const read = await readParts(place.port, jobs);
      if (read.kind === 'failed') return failed(`not switched on: ${read.why}`);
      const { parts } = read;
      // What is kept with the schedule is what was compared here, and nothing that was read a second time.
      const drift = context.drift(surveyed(parts));
      if (drift.length > 0) {
        return failed('not switched on: what the jobs do now is not what was approved', {
          output: drift.join('\n'),
        });
      }
      const left = notYet(await overviewOf(place.port, jobs), parts);
      if (left.length > 0) {
        await place.port.resume({
          jobs: left.map(({ job }) => job),
          by: context.requester,
          reason: '',
          approval: { run: context.run, gate: approval.gate, approvers: [...approval.approvers] },
          parts,
        });
      }
      return switched(await overviewOf(place.port, jobs), left);
    },
    async probe(args, context) {
      const place = jobsPlace(deps, context.target.name, 'switch on');
      if (place.kind !== 'here') return { kind: 'done', outcome: elsewhere(place) };
      const jobs = jobsOf(args.jobs);
      const read = await readParts(place.port, jobs);
      if (read.kind === 'failed') return { kind: 'unknown', evidence: read.why };
      const seen = await overviewOf(place.port, jobs);
      const left = notYet(seen, read.parts);
      return left.length === 0
        ? { kind: 'done', outcome: switched(seen, []) }
        : { kind: 'not_done', evidence: `${listed(left.map(({ job }) => job))} not switched on yet` };
    },
  });
}

/** Those that are off, or on without an approval of what they do now. */
function notYet(seen: readonly JobOverview[], parts: PartsByJob): JobOverview[] {
  return seen.filter(({ job, paused, cover }) => {
    const covered = cover?.approval != null && differences(cover, parts[job] ?? {}).length === 0;
    return paused !== null || !covered;
  });
}

type Read =
  | { readonly kind: 'read'; readonly parts: PartsByJob }
  | { readonly kind: 'failed'; readonly why: string };

async function readParts(port: Pick<JobsPort, 'covers'>, jobs: readonly JobName[]): Promise<Read> {
  const parts: PartsByJob = {};
  for (const job of jobs) {
    const now = await port.covers(job);
    if (now.kind === 'failed')
      return { kind: 'failed', why: `what ${job} does could not be read: ${now.why}` };
    parts[job] = now.parts;
  }
  return { kind: 'read', parts };
}

function surveyed(parts: PartsByJob): Extract<Survey, { kind: 'surveyed' }> {
  const all = Object.entries(parts).map(([job, own]) => named(job, own));
  return { kind: 'surveyed', parts: Object.assign({}, ...all), sql: [], warnings: [] };
}

function switched(seen: readonly JobOverview[], before: readonly JobOverview[]): Outcome {
  const output = [
    standing(seen),
    // What a person switched off for a reason is worth a thought.
    ...before.flatMap(({ job, paused }) =>
      paused?.at == null ? [] : [`${job} had been switched off: ${paused.reason}`],
    ),
  ].join('\n');
  const off = seen.filter(({ paused }) => paused !== null).map(({ job }) => job);
  if (off.length > 0) {
    return failed(`${listed(off)}: switched off again meanwhile; the output says why`, { output });
  }
  return passed(`the schedules of ${sayJobs(seen.map(({ job }) => job))} are on`, { output });
}
