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
] as const;
export type CommandName = (typeof commandNames)[number];

const usage = (text: string, who: string, what: string): Usage => ({
  usage: `${SLASH} ${text}`,
  who,
  what,
});

/** How each command is written, who may use it, and what it does; in the order of a migration. */
export const usages: Readonly<Record<CommandName, Usage>> = {
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
};
