import { refuse } from '../runbook/refusal.js';
import { operatorRefusal, spokenAs } from './as-operator.js';
import { audit } from './audit.js';
import { backup } from './backup.js';
import { close } from './close.js';
import type { CommandContext } from './context.js';
import { help } from './help.js';
import { jobsCommand } from './jobs.js';
import { m10Command } from './m10.js';
import { next } from './next.js';
import type { ParsedCommand } from './parse.js';
import { plan } from './plan.js';
import { preflight } from './preflight.js';
import type { Reply } from './reply.js';
import { resume } from './resume.js';
import { retry } from './retry.js';
import { rollback } from './rollback.js';
import { decline } from './settle.js';
import { skip } from './skip.js';
import { status } from './status.js';
import { stop } from './stop.js';

/** Commands that only look: they may be answered in the acknowledgement and leave nothing in the journal. */
export function isLook(
  command: ParsedCommand,
): command is Extract<ParsedCommand, { name: 'help' | 'status' }> {
  return command.name === 'help' || command.name === 'status';
}

/** The no to a command from another channel; undefined when it came from the right one. */
export function wrongChannel(command: ParsedCommand, channel: string, incident: string) {
  if (channel === incident || command.name === 'help') return undefined;
  return refuse(
    'wrong_channel',
    'Commands count in the incident channel alone, where everyone sees them.',
    `Say it in <#${incident}>.`,
  );
}

/**
 * Carries out a command. The person who gives one that only operators may give is looked up first.
 * @throws NotLookedUp when Slack could not be asked about them: the command is to be tried again
 * @param now ms since the epoch
 */
export async function runCommand(
  context: CommandContext,
  command: ParsedCommand,
  now: number,
): Promise<Reply> {
  const no = wrongChannel(command, context.channel, context.incidentChannel);
  if (no !== undefined) {
    const { run } = await context.board.now();
    return decline(context, `/m10 ${command.name}`, no, run);
  }
  const refusal = await operatorRefusal(context, command);
  if (refusal !== null) {
    const { run } = await context.board.now();
    return decline(context, spokenAs(command), refusal, run);
  }
  switch (command.name) {
    case 'help':
      return help();
    case 'status':
      return status(await context.board.now(), await context.undelivered(), context.user, now);
    case 'preflight':
      return preflight(context);
    case 'next':
      return next(context);
    case 'plan':
      return plan(context);
    case 'backup':
      return backup(context);
    case 'retry':
      return retry(context);
    case 'skip':
      return skip(context, command.step, command.reason);
    case 'stop':
      return stop(context, command.now, command.reason);
    case 'resume':
      return resume(context);
    case 'rollback':
      return rollback(context, command.reason);
    case 'close':
      return close(context, command.reason);
    case 'audit':
      return audit(context, command.run);
    case 'jobs':
      return jobsCommand(context, command, now);
    case 'locks':
    case 'outbox':
    case 'replays':
    case 'replay':
      return m10Command(context, command, now);
  }
}
