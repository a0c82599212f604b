import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { OneJob } from '../../checks/jobs/arguments.js';
import { elsewhere, type JobsPlace, jobsPlace, nothingToSurvey } from '../../checks/jobs/place.js';
import { named } from '../../checks/jobs/settings.js';
import { underWay } from '../../checks/jobs/standing.js';
import { failed, passed, spoken, table } from '../../checks/outcome.js';
import { quoted } from '../../checks/quoted.js';
import type { TargetConfig } from '../../config.js';
import type { JobsConfig } from '../../config-jobs.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobReport } from '../../runbook/jobs/port.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../../runbook/step-kind.js';

const Args = z.strictObject({
  job: OneJob,
  /** Show what it would do, and change nothing. */
  'dry-run': z.boolean('expected true or false').default(false),
});

/** A run that began before the attempt is another one's; runs of one job are few. */
const looked = 20;

/** Runs a job once, under its own lock, whether its schedule is on or off. */
export function jobsRun(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.run',
    changes: true,
    args: Args,
    describe(args, { target, step }) {
      const { jobs } = deps.config;
      const deed = jobs === null ? '' : ` ${deedOf(jobs, args.job)}`;
      const dry = args['dry-run'] ? ' as a dry run, which changes nothing' : '';
      return {
        words: `Run the job ${args.job} of ${target.name} once${dry}, under its lock, up to ${spoken(step.timeout)}.${deed}`,
        commands: [
          commandOf(jobs, args.job, args['dry-run']) ??
            `/m10 jobs run ${args.job}${args['dry-run'] ? ' --dry-run' : ''}`,
        ],
      };
    },
    async survey(args, { target }) {
      const place = jobsPlace(deps, target.name, 'run');
      if (place.kind !== 'here') return nothingToSurvey(place);
      // The team's own program does what its files say.
      const now = await place.port.covers(args.job);
      if (now.kind === 'failed') return now;
      return { kind: 'surveyed', parts: named(args.job, now.parts), sql: [], warnings: [] };
    },
    async run(args, context) {
      const place = jobsPlace(deps, context.target.name, 'run');
      if (place.kind !== 'here') return elsewhere(place);
      const { spokenSignal, release } = withReason(context.signal);
      const report = await place.port
        .runOnce({
          job: args.job,
          dryRun: args['dry-run'],
          by: context.requester,
          trigger: 'runbook',
          signal: spokenSignal,
        })
        .finally(release);
      const outcome = judged(args.job, args['dry-run'], report);
      // What it had in hand is done, and the rest is not.
      return context.signal.aborted && outcome.result === 'passed'
        ? failed(outcome.summary, { output: outcome.output ?? '' })
        : outcome;
    },
    async probe(args, context): Promise<Probe> {
      const place = jobsPlace(deps, context.target.name, 'run');
      if (place.kind !== 'here') return { kind: 'done', outcome: elsewhere(place) };
      return whatBecame(place, args, context, deps.now());
    },
  });
}

/** The signal of a step with a reason that people can read: it stands in the result of the job. */
function withReason(signal: AbortSignal): { spokenSignal: AbortSignal; release(): void } {
  const own = new AbortController();
  const pass = () => {
    const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
    own.abort(timedOut ? 'the time of the step was over' : 'the step was stopped');
  };
  if (signal.aborted) pass();
  else signal.addEventListener('abort', pass, { once: true });
  return { spokenSignal: own.signal, release: () => signal.removeEventListener('abort', pass) };
}

async function whatBecame(
  { port, jobs }: Pick<Extract<JobsPlace, { kind: 'here' }>, 'port' | 'jobs'>,
  args: z.infer<typeof Args>,
  context: StepContext<TargetConfig>,
  now: number,
): Promise<Probe> {
  const { job } = args;
  const found = (await port.log(job, looked)).find(
    (r) => r.trigger === 'runbook' && r.dryRun === args['dry-run'] && r.startedAt >= context.startedAt,
  );
  if (found === undefined) {
    return { kind: 'not_done', evidence: `no run of ${job} was noted since the step began` };
  }
  const { outcome, owner, durationMs } = found;
  if (outcome !== 'running' && outcome !== 'lost') {
    const report = { ...found, outcome, durationMs: durationMs ?? 0 };
    return { kind: 'done', outcome: judged(job, found.dryRun, report) };
  }
  const seen = (await port.overview()).find((o) => o.job === job);
  const still = seen === undefined ? null : underWay({ ...seen, last: found }, jobs, now);
  if (still === true) {
    const until = new Date(seen?.leader?.expiresAt ?? found.startedAt + jobs[job].timeout).toISOString();
    return {
      kind: 'running',
      evidence: `${owner} began ${job}; as far as the target says it may be at work until ${until}, or longer`,
    };
  }
  if (still === null) {
    return {
      kind: 'unknown',
      evidence: `${owner} began ${job}; the target did not say who has its lock now`,
    };
  }
  // The run is over, and each job may be run again after any interruption.
  return { kind: 'not_done', evidence: `${owner} began ${job} and ended in the middle of it` };
}

function judged(job: JobName, dryRun: boolean, report: JobReport): Outcome {
  const { summary, counts, advice } = report;
  const figures = table(Object.entries(counts).map(([name, count]) => [name, String(count)]));
  const output = [figures, report.output, advice].filter((part) => part.trim() !== '').join('\n\n');
  const name = dryRun ? `${job} (dry run)` : job;
  const said = advice === '' ? summary : `${summary} ${advice}`;
  switch (report.outcome) {
    case 'passed':
      return passed(`${name}: ${summary}`, { output });
    case 'failed':
      return failed(`${name}: ${said}`, { output });
    case 'skipped':
      return failed(`${name} was not run: ${said}`, { output });
    case 'lost':
      return failed(`${name} was ended in the middle: ${said}`, { output });
  }
}

/** The team's own program as it will run; null for the built-in job, and for a dry run that the program has not. */
function commandOf(jobs: JobsConfig | null, job: JobName, dryRun: boolean): string | null {
  const { command, 'dry-run': more } = jobs?.[job] ?? {};
  if (command === undefined || (dryRun && more === undefined)) return null;
  return [...command.argv, ...(dryRun ? (more ?? []) : [])].map(quoted).join(' ');
}

/** What a run does, for whoever approves it. */
function deedOf(jobs: JobsConfig, job: JobName): string {
  if (jobs[job].command !== undefined) return "It is the team's own program.";
  switch (job) {
    case 'outbox-processor': {
      const { allow } = jobs[job].http;
      const hosts = allow.length === 0 ? 'to no host' : `to the hosts ${allow.join(', ')}`;
      return `It delivers the events that are due: over HTTP ${hosts}, \`notify:\` to Slack.`;
    }
    case 'dl-reconcile':
      return 'It archives dead letters and acknowledges those that are still pending in the main stream.';
    case 'matview-refresh':
      return `It refreshes ${jobs[job].view}.`;
    case 'retention-cleanup': {
      const { 'dead-letter-archive': archive, 'replay-log': replays, outbox } = jobs[job];
      return `It deletes archived dead letters older than ${spoken(archive)}, replay log entries older than ${spoken(replays)}, delivered events older than ${spoken(outbox)}, and expired locks.`;
    }
    case 'reclaim-gc':
      return 'It removes the counters of attempts of messages that are not pending any more.';
  }
}
