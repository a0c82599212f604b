import type { JobsConfig } from '../../config-jobs.js';
import type { JobsPort } from '../../runbook/jobs/port.js';
import type { Outcome, Survey } from '../../runbook/step-kind.js';
import type { StepDeps } from '../deps.js';
import { failed, passed } from '../outcome.js';

/** Whether a step about jobs has anything to do where it stands. */
export type JobsPlace =
  | { readonly kind: 'here'; readonly jobs: JobsConfig; readonly port: JobsPort }
  /** The configuration has no jobs, so there is nothing to do and nothing wrong. */
  | { readonly kind: 'none'; readonly words: string }
  | { readonly kind: 'elsewhere'; readonly words: string };

/** @param what the deed that there is nothing of, such as `pause` */
export function jobsPlace(deps: Pick<StepDeps, 'config' | 'jobs'>, target: string, what: string): JobsPlace {
  const { jobs } = deps.config;
  if (jobs === null) {
    return { kind: 'none', words: `No jobs are configured in m10.yml: nothing to ${what}` };
  }
  if (jobs.target !== target) {
    return {
      kind: 'elsewhere',
      words: `the jobs run against ${jobs.target}, and this step is on ${target}: correct \`on\` of the step in the runbook, or jobs.target in m10.yml`,
    };
  }
  return { kind: 'here', jobs, port: deps.jobs };
}

/** How a step ends that has nothing to do here, or may not do it. */
export function elsewhere(place: Exclude<JobsPlace, { kind: 'here' }>): Outcome {
  return place.kind === 'none' ? passed(place.words) : failed(place.words);
}

/** What the gate shows of such a step: people must see it before they approve. */
export function nothingToSurvey(place: Exclude<JobsPlace, { kind: 'here' }>): Survey {
  return { kind: 'surveyed', parts: { jobs: place.words }, sql: [], warnings: [place.words] };
}
