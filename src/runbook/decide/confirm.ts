import { approvalsNeeded } from '../believe.js';
import type { CommandOf, ConfirmFacts } from '../command.js';
import { blockKey } from '../definition.js';
import { next } from '../next.js';
import { refuse } from '../refusal.js';
import { approvalOf, type Gate, type OpenedRun } from '../state.js';
import { accept, type Decision } from './accept.js';

/**
 * Whether a change may start: Slack shows the approvals now. The journal alone is no proof, because whoever can write
 * to the state database can write an approval too. Nothing is appended when they stand; otherwise the run stops.
 */
export function confirmApproval(
  state: OpenedRun,
  command: CommandOf<'ConfirmApproval'>,
  now: number,
): Decision {
  const wanted = next(state, now);
  const due =
    wanted.kind === 'run_step' &&
    wanted.step === command.step &&
    blockKey(wanted.block) === blockKey(command.block);
  if (!due) return refuse('stale', 'That step is not the next one.');
  const gate = approvalOf(state, command.block);
  if ((gate?.id ?? null) !== command.facts.gate) {
    return refuse('stale', 'Another request covers that step by now.');
  }
  const why =
    gate === undefined ? 'no request for this change was approved' : doubt(state, gate, command.facts);
  if (why === null) return accept();
  if (why === 'unasked') {
    return refuse(
      'slack_unreachable',
      'Slack cannot be asked whether the approval stands.',
      'The change starts once it can.',
    );
  }
  const { block, step } = command;
  return accept({ type: 'ApprovalNotConfirmed', gate: gate?.id ?? null, block, step, why });
}

/** Why the approvals do not stand; `unasked` while Slack leaves it open, and null when they do. */
function doubt(state: OpenedRun, gate: Gate, facts: ConfirmFacts): string | null {
  const { signs, verdicts } = facts;
  if (signs.kind === 'unasked') return 'unasked';
  const name = `request ${gate.id}`;
  if (signs.kind === 'gone') return `the message of ${name} cannot be found in the channel`;
  const shown = gate.approvals
    .map((approval) => approval.by)
    .filter((user) => user !== gate.requestedBy && signs.by.approve.includes(user));
  const eligible = shown.filter((user) => verdicts[user]?.kind === 'eligible');
  const needed = Math.max(facts.needs, approvalsNeeded(state, gate));
  if (eligible.length >= needed) return null;
  const open = shown.filter((user) => couldNotBeAsked(facts, user));
  if (eligible.length + open.length >= needed) return 'unasked';
  return `Slack shows ${eligible.length} of ${needed} approvals that count on ${name}`;
}

function couldNotBeAsked({ verdicts }: ConfirmFacts, user: string): boolean {
  const verdict = verdicts[user];
  return verdict === undefined || (verdict.kind === 'ineligible' && verdict.code === 'lookup_failed');
}
