import type { M10Answer, M10Port } from '../runbook/jobs/m10-port.js';
import type { Refusal } from '../runbook/refusal.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';
import { noJobsConfigured } from './jobs.js';
import { cleanupLocks, releaseLock } from './locks.js';
import { type Operation, operate } from './operate.js';
import { retryAsDemanded } from './outbox.js';
import type { M10Command } from './parse-m10.js';
import { cleanupReplays, replay } from './replays.js';
import type { Reply } from './reply.js';
import { decline } from './settle.js';
import { SLASH } from './usages.js';

type Asked = Exclude<M10Command, { name: 'jobs' }>;

/**
 * The words about locks, the outbox and replays: looks, quick changes, and changes that are asked for.
 * @param now ms since the epoch
 */
export async function m10Command(context: CommandContext, command: Asked, now: number): Promise<Reply> {
  const { m10, jobsJournal } = context;
  const said = saidAs(command);
  const made =
    m10 === null || jobsJournal === null
      ? noJobsConfigured()
      : await carriedOut(context, m10, jobsJournal, command, said, now);
  if (!('code' in made)) return made;
  const { run } = await context.board.now();
  return decline(context, said, made, run);
}

async function carriedOut(
  context: CommandContext,
  m10: M10Port,
  journal: JobsJournal,
  command: Asked,
  said: string,
  now: number,
): Promise<Reply | Refusal> {
  const { target } = m10;
  switch (command.name) {
    case 'locks':
      switch (command.verb) {
        case 'show':
          return look(said, await m10.locks(), (locks) => ({ kind: 'locks', target, locks }));
        case 'cleanup':
          return change(context, said, journal, cleanupLocks(m10));
        case 'release':
          return releaseLock(context, m10, said, command.lock);
      }
      break;
    case 'outbox':
      if (command.verb === 'retry') {
        const made = await retryAsDemanded(context, m10, said, journal, command.id);
        return 'effect' in made ? change(context, said, journal, made) : made;
      }
      return look(said, await m10.outbox(), (outbox) => ({ kind: 'outbox', target, outbox }));
    case 'replays':
      if (command.verb === 'cleanup') return cleanupReplays(context, m10, said, command.olderThanMs);
      return look(said, await m10.replays(), (replays) => ({ kind: 'replays', target, replays, now }));
    case 'replay':
      return replay(context, m10, said, command.message);
  }
}

/** A look leaves nothing in the journal, and neither does one that failed. */
function look<T>(said: string, answer: M10Answer<T>, shown: (value: T) => Reply): Reply {
  if (answer.kind === 'ok') return shown(answer.value);
  return { kind: 'refused', command: said, why: answer.why, instead: answer.instead };
}

async function change(
  context: CommandContext,
  said: string,
  journal: JobsJournal,
  operation: Operation,
): Promise<Reply | Refusal> {
  const done = await operate(context, journal, operation);
  if (done === null)
    return { kind: 'done', text: `\`${said}\` has been carried out; the channel shows how.` };
  if ('code' in done) return done;
  const summary = `${done.summary.charAt(0).toUpperCase()}${done.summary.slice(1)}`;
  return { kind: 'done', text: `${summary}${/[.!?]$/.test(summary) ? '' : '.'}` };
}

/** The command as it was typed, in its whole form. */
function saidAs(command: Asked): string {
  if (command.name === 'replay') return `${SLASH} replay ${command.message}`;
  if (command.verb === 'show') return `${SLASH} ${command.name}`;
  const what = 'lock' in command ? ` ${command.lock}` : 'id' in command ? ` ${command.id}` : '';
  return `${SLASH} ${command.name} ${command.verb}${what}`;
}
