import { type JobDecision, pauseJobs, requestRun, resumeJobs } from '../runbook/jobs/decide.js';
import type { JobEvent } from '../runbook/jobs/events.js';
import type { JobName } from '../runbook/jobs/names.js';
import { type JobsState, jobsNamed } from '../runbook/jobs/state.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';
import type { M10Command } from './parse-m10.js';
import type { Reply } from './reply.js';
import { decline } from './settle.js';

/** Runs of a job that its log shows. */
const LOGGED = 20;

/**
 * The words after `/m10 jobs`.
 * @param now ms since the epoch
 */
export async function jobsCommand(
  context: CommandContext,
  command: Extract<M10Command, { name: 'jobs' }>,
  now: number,
): Promise<Reply> {
  const { jobs, jobsJournal: journal } = context;
  if (jobs.target === null || journal === null) return declined(context, command, noJobsConfigured());
  const asker = { by: context.user, operator: context.operator, via: context.via };
  switch (command.verb) {
    case 'show': {
      const [overview, { state }] = await Promise.all([jobs.overview(), journal.load()]);
      return { kind: 'jobs', target: jobs.target, jobs: overview, requests: state.requests, now };
    }
    case 'log':
      return {
        kind: 'jobs-log',
        job: command.job,
        runs: await jobs.log(command.job, LOGGED),
        now,
      };
    case 'pause': {
      const asked = { ...asker, jobs: jobsNamed(command.job), reason: command.reason, run: null };
      return carriedOut(context, command, journal, (state) => pauseJobs(state, asked));
    }
    case 'resume': {
      const asked = { ...asker, jobs: jobsNamed(command.job), reason: command.reason, run: null };
      return carriedOut(context, command, journal, (state) => resumeJobs(state, asked));
    }
    case 'run': {
      const asked = { ...asker, job: command.job, dryRun: command.dryRun };
      return carriedOut(context, command, journal, (state) => requestRun(state, asked));
    }
  }
}

/** Why nothing about jobs can be done here, for every command that needs them. */
export function noJobsConfigured(): Refusal {
  return refuse(
    'no_jobs',
    'This bot runs no jobs: its configuration names no target for them.',
    'A section `jobs` with a `target` in m10.yml sets them up, as m10.example.yml shows; then start the bot again.',
  );
}

async function carriedOut(
  context: CommandContext,
  command: Extract<M10Command, { name: 'jobs' }>,
  journal: JobsJournal,
  decide: (state: JobsState) => JobDecision,
): Promise<Reply> {
  const options = context.delivery === undefined ? {} : { delivery: context.delivery };
  const executed = await journal.execute(decide, options);
  if (executed.kind === 'refused') return declined(context, command, executed);
  return { kind: 'done', text: receipt(executed.events) };
}

async function declined(
  context: CommandContext,
  command: Extract<M10Command, { name: 'jobs' }>,
  refusal: Refusal,
): Promise<Reply> {
  const { run } = await context.board.now();
  const job = 'job' in command ? ` ${command.job}` : '';
  const said = command.verb === 'show' ? '/m10 jobs' : `/m10 jobs ${command.verb}${job}`;
  return decline(context, said, refusal, run);
}

function receipt(events: readonly JobEvent[]): string {
  const [event] = events;
  switch (event?.type) {
    case 'JobsPaused':
      return `Paused: ${named(event.jobs)}. A run that is under way ends before its next batch.`;
    case 'JobsResumed':
      return `Switched on: ${named(event.jobs)}. \`/m10 jobs\` shows when each runs next.`;
    case 'JobRunRequested':
      return `A ${event.dryRun ? 'dry run' : 'run'} of \`${event.job}\` is asked for. Its result comes to the channel.`;
    default:
      // The delivery had its effect before.
      return 'That has been carried out; the channel shows how.';
  }
}

const named = (jobs: readonly JobName[]) => jobs.map((job) => `\`${job}\``).join(', ');
