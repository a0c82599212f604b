import type { M10Answer } from '../runbook/jobs/m10-port.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';

const looks = 'Everyone may look: `/m10 locks`, `/m10 outbox`, `/m10 replays`.';

/** The no to whoever is no operator, said before the target is asked; null for an operator. */
export function notAllowed(context: Pick<CommandContext, 'operator'>, what: string): Refusal | null {
  return context.operator ? null : refuse('not_an_operator', `Only listed operators may ${what}.`, looks);
}

/** A target that gave no answer. */
export function noAnswer({ why, instead }: Exclude<M10Answer<never>, { kind: 'ok' }>): Refusal {
  return refuse('lookup_failed', why, instead);
}
