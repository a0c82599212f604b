import type { Usage } from './reply.js';

/** The command as people type it. */
export const SLASH = '/m10';

export const commandNames = [
  'help',
  'preflight',
  'next',
  'status',
  'plan',
  'backup',
  'retry',
  'skip',
  'stop',
  'resume',
  'rollback',
  'close',
  'audit',
  'jobs',
  'locks',
  'outbox',
  'replays',
  'replay',
] as const;
export type CommandName = (typeof commandNames)[number];

/** Words that follow a command and are a command of their own. */
export type VerbName =
  | `jobs ${'run' | 'pause' | 'resume' | 'log'}`
  | `locks ${'cleanup' | 'release'}`
  | 'outbox retry'
  | 'replays cleanup';
export type UsageName = CommandName | VerbName;

const usage = (text: string, who: string, what: string): Usage => ({
  usage: `${SLASH} ${text}`,
  who,
  what,
});

/** How each command is written, who may use it, and what it does; in the order of a migration. */
export const usages: Readonly<Record<UsageName, Usage>> = {
  help: usage('help', 'everyone', 'shows this list'),
  preflight: usage('preflight', 'operators', 'opens a run and checks everything that must be true first'),
  next: usage('next', 'operators', 'asks a second person to approve the next phase'),
  status: usage('status', 'everyone', 'shows where the run is and what can be done now'),
  plan: usage('plan', 'everyone', 'shows what will run, with the SQL as a file'),
  backup: usage('backup', 'operators', 'asks for a fresh, proven backup'),
  retry: usage('retry', 'operators', 'tries what failed again; a change needs a new approval'),
  skip: usage('skip STEP REASON', 'operators', 'asks a second person to leave a step out'),
  stop: usage(
    'stop [now] [REASON]',
    'everyone',
    'stops before the next step; with "now" the running one is ended too',
  ),
  resume: usage('resume', 'operators', 'takes a stopped run up again'),
  rollback: usage('rollback [REASON]', 'operators', 'asks a second person to approve the rollback'),
  close: usage('close REASON', 'operators', 'ends the run and frees its targets'),
  audit: usage('audit [RUN]', 'everyone', 'tells what happened, by whom, and whether the record is whole'),
  jobs: usage('jobs', 'everyone', 'shows each periodic job: when it runs, how it ended last, who leads it'),
  'jobs log': usage('jobs log JOB', 'everyone', 'shows the last runs of a job'),
  'jobs run': usage(
    'jobs run JOB [--dry-run]',
    'operators',
    'runs a job once now; what may delete or deliver needs an approval unless its schedule has one',
  ),
  'jobs pause': usage(
    'jobs pause JOB [REASON]',
    'everyone',
    'switches the schedule of a job off; "all" takes every job',
  ),
  'jobs resume': usage(
    'jobs resume JOB [REASON]',
    'operators',
    'asks a second person to approve switching a schedule on; "all" takes every job',
  ),
  locks: usage('locks', 'everyone', 'shows who holds which lock, since when, and which are stale'),
  'locks cleanup': usage('locks cleanup', 'operators', 'removes the locks that have expired'),
  'locks release': usage(
    'locks release NAME',
    'operators',
    'asks a second person to take a lock from its holder',
  ),
  outbox: usage('outbox', 'everyone', 'shows what waits in the outbox, how long, and what failed'),
  'outbox retry': usage(
    'outbox retry ID',
    'operators',
    'delivers a failed event again; needs an approval unless the outbox processor has one',
  ),
  replays: usage('replays', 'everyone', 'shows the size and growth of the replay log'),
  'replays cleanup': usage(
    'replays cleanup --older-than AGE',
    'operators',
    'counts old entries of the replay log and asks a second person to delete them',
  ),
  replay: usage('replay MESSAGE_ID', 'operators', 'asks a second person to put a dead letter back, once'),
};
