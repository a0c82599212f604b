import { type JobDecision, notAnOperator, pauseJobs, requestRun } from '../runbook/jobs/decide.js';
import type { JobEvent } from '../runbook/jobs/events.js';
import { type JobName, jobNames } from '../runbook/jobs/names.js';
import { standingOf } from '../runbook/jobs/schedules.js';
import { type JobsState, jobsNamed } from '../runbook/jobs/state.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';
import { approvalNeeded, demanded } from './demand.js';
import { openBeside } from './open-beside.js';
import type { M10Command } from './parse-m10.js';
import type { Reply } from './reply.js';
import { decline } from './settle.js';
import { SLASH } from './usages.js';

type Asked = Extract<M10Command, { name: 'jobs' }>;

/** What a run may take beside its work: the wait for its lock, and for its end once it was told to stop, ms. */
const besideMs = 120_000;
/** Runs of a job that its log shows. */
const LOGGED = 20;

/**
 * The words after `/m10 jobs`.
 * @param now ms since the epoch
 */
export async function jobsCommand(context: CommandContext, command: Asked, now: number): Promise<Reply> {
  const { jobs, jobsJournal: journal } = context;
  if (jobs.target === null || journal === null) return declined(context, command, noJobsConfigured());
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
      const { user: by, operator, via } = context;
      const asked = { by, operator, via, jobs: jobsNamed(command.job), reason: command.reason, run: null };
      return carriedOut(context, command, journal, (state) => pauseJobs(state, asked));
    }
    case 'resume':
      return switchOn(context, command, journal, jobs.target);
    case 'run':
      return runNow(context, command, journal, jobs.target);
  }
}

/** Asks a second person to approve what these schedules will do; those that are on under such an approval stay. */
async function switchOn(
  context: CommandContext,
  command: Extract<Asked, { verb: 'pause' | 'resume' }>,
  journal: JobsJournal,
  target: string,
): Promise<Reply> {
  if (!context.operator) return declined(context, command, notAnOperator('ask to switch schedules on'));
  const { state } = await journal.load();
  const named = jobsNamed(command.job);
  const standings = await Promise.all(
    named.map(async (job) => {
      const now = await context.jobs.covers(job);
      return { job, standing: standingOf(state, job, now.kind === 'read' ? now.parts : null) };
    }),
  );
  const jobs = standings.filter(({ standing }) => standing !== 'approved').map(({ job }) => job);
  if (jobs.length === 0) return declined(context, command, onAlready(named));
  const all = jobs.length === jobNames.length;
  const which = all
    ? 'all schedules'
    : `the ${jobs.length === 1 ? 'schedule' : 'schedules'} of ${jobs.join(', ')}`;
  const reason = command.reason === '' ? '' : `: ${command.reason}`;
  return openBeside(context, saidAs(command), `switching on ${codes(jobs)}`, {
    id: 'jobs-resume',
    step: 'switch-on',
    title: `Switch on ${which}${reason}`,
    on: target,
    uses: 'jobs.resume',
    with: { jobs: all ? 'all' : jobs },
    timeout: 120_000,
    onFailure: '`/m10 jobs` shows which schedules are on. A retry switches on the rest.',
  });
}

/** Asks for a run; where the rule demands it, as a run of one operation that a second person approves. */
async function runNow(
  context: CommandContext,
  command: Extract<Asked, { verb: 'run' }>,
  journal: JobsJournal,
  target: string,
): Promise<Reply> {
  const { job, dryRun } = command;
  if (!context.operator) return declined(context, command, notAnOperator('run a job on demand'));
  const { program, timeoutMs } = context.jobs.about(job);
  const demand = await demanded(context, journal, { kind: 'run-job', job, dryRun, program });
  if (demand.kind === 'free') {
    const asked = { by: context.user, operator: context.operator, via: context.via, job, dryRun };
    return carriedOut(context, command, journal, (state) => requestRun(state, asked));
  }
  const what = dryRun ? 'a dry run' : 'one run';
  return openBeside(
    context,
    saidAs(command),
    `${what} of \`${job}\``,
    {
      id: 'jobs-run',
      step: 'run',
      title: dryRun ? `Run ${job} once, as a dry run` : `Run ${job} once`,
      on: target,
      uses: 'jobs.run',
      with: { job, 'dry-run': dryRun },
      // Its own limit ends it first, and says so.
      timeout: timeoutMs + besideMs,
      onFailure: 'A job may be run again after any interruption.',
    },
    approvalNeeded(demand.why),
  );
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
  command: Asked,
  journal: JobsJournal,
  decide: (state: JobsState) => JobDecision,
): Promise<Reply> {
  const options = context.delivery === undefined ? {} : { delivery: context.delivery };
  const executed = await journal.execute(decide, options);
  if (executed.kind === 'refused') return declined(context, command, executed);
  return { kind: 'done', text: receipt(executed.events) };
}

async function declined(context: CommandContext, command: Asked, refusal: Refusal): Promise<Reply> {
  const { run } = await context.board.now();
  return decline(context, saidAs(command), refusal, run);
}

/** The command as it was typed, in its whole form. */
function saidAs(command: Asked): string {
  if (command.verb === 'show') return `${SLASH} jobs`;
  const dry = command.verb === 'run' && command.dryRun ? ' --dry-run' : '';
  return `${SLASH} jobs ${command.verb} ${command.job}${dry}`;
}

function onAlready(jobs: readonly JobName[]): Refusal {
  const one = jobs.length === 1;
  return refuse(
    'not_paused',
    `${codes(jobs)} ${one ? 'is' : 'are'} switched on already, as approved.`,
    '`/m10 jobs` shows when each runs next.',
  );
}

function receipt(events: readonly JobEvent[]): string {
  const [event] = events;
  switch (event?.type) {
    case 'JobsPaused':
      return `Paused: ${codes(event.jobs)}. A run that is under way ends before its next batch.`;
    case 'JobRunRequested':
      return `A ${event.dryRun ? 'dry run' : 'run'} of \`${event.job}\` is asked for. Its result comes to the channel.`;
    default:
      // The delivery had its effect before.
      return 'That has been carried out; the channel shows how.';
  }
}

const codes = (jobs: readonly JobName[]) => jobs.map((job) => `\`${job}\``).join(', ');
