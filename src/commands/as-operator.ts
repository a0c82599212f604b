import type { MemberCode } from '../runbook/people.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import type { ParsedCommand } from './parse.js';
import { SLASH, type UsageName } from './usages.js';

/** Slack could not be asked about the person: neither a yes nor a no, so the delivery is handled again. */
export class NotLookedUp extends Error {
  override readonly name = 'NotLookedUp';
}

/**
 * Whether a listed operator may act as one now: they are looked up like approvers, for the list says nothing of an
 * account that was deactivated or made a guest since. Commands that everyone may give are not asked about.
 * @returns the no; null to go on, also for people who are not listed: each command refuses those in its own words
 * @throws NotLookedUp
 */
export async function operatorRefusal(
  context: Pick<CommandContext, 'operator' | 'member' | 'user'>,
  command: ParsedCommand,
): Promise<Refusal | null> {
  if (!context.operator || !needsOperator(command)) return null;
  const found = await context.member(context.user);
  switch (found.kind) {
    case 'member':
      return null;
    case 'not_asked':
      throw new NotLookedUp(found.why);
    case 'not_a_member':
      return refuse(
        found.code,
        `You are on the list of operators, but ${reasons[found.code]}, and only full, active members of this workspace operate.`,
        'Another operator can give the command. Everyone may look (`/m10 status`) and stop (`/m10 stop`).',
      );
  }
}

const reasons: Readonly<Record<MemberCode, string>> = {
  deactivated: 'your account is deactivated',
  bot: 'you are a bot',
  guest: 'you are a guest',
  stranger: 'you are from outside the workspace',
  other_workspace: 'you belong to another workspace',
  lookup_failed: 'Slack describes your account incompletely',
};

/** The command as its usage is listed, such as `jobs run`. */
export function usageOf(command: ParsedCommand): UsageName {
  switch (command.name) {
    case 'jobs':
      return command.verb === 'show' ? 'jobs' : `jobs ${command.verb}`;
    case 'locks':
      return command.verb === 'show' ? 'locks' : `locks ${command.verb}`;
    case 'outbox':
      return command.verb === 'show' ? 'outbox' : `outbox ${command.verb}`;
    case 'replays':
      return command.verb === 'show' ? 'replays' : `replays ${command.verb}`;
    default:
      return command.name;
  }
}

/** The command as it is refused. */
export const spokenAs = (command: ParsedCommand): string => `${SLASH} ${usageOf(command)}`;

/** What everyone may do is looking and stopping; none of that waits for a look-up. */
export function needsOperator(command: ParsedCommand): boolean {
  switch (usageOf(command)) {
    case 'help':
    case 'status':
    case 'plan':
    case 'stop':
    case 'audit':
    case 'jobs':
    case 'jobs log':
    case 'jobs pause':
    case 'locks':
    case 'outbox':
    case 'replays':
      return false;
    case 'preflight':
    case 'next':
    case 'backup':
    case 'retry':
    case 'skip':
    case 'resume':
    case 'rollback':
    case 'close':
    case 'jobs run':
    case 'jobs resume':
    case 'locks cleanup':
    case 'locks release':
    case 'outbox retry':
    case 'replays cleanup':
    case 'replay':
      return true;
  }
}
