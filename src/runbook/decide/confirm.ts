import { approvalsNeeded } from '../believe.js';
import type { CommandOf, ConfirmFacts, NotAsked } from '../command.js';
import { blockKey } from '../definition.js';
import { next } from '../next.js';
import { refuse } from '../refusal.js';
import { approvalOf, type Gate, type OpenedRun } from '../state.js';
import { accept, type Decision } from './accept.js';
import { verdictOn } from './gates.js';

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
  if (typeof why !== 'string') {
    return refuse(
      'slack_unreachable',
      `Slack gave no answer whether the approval stands: ${why.why}.`,
      'The change does not start before it does.',
    );
  }
  const { block, step } = command;
  return accept({ type: 'ApprovalNotConfirmed', gate: gate?.id ?? null, block, step, why });
}

/** Why the approvals do not stand; what has no answer while Slack leaves it open, and null when they do. */
function doubt(state: OpenedRun, gate: Gate, facts: ConfirmFacts): string | NotAsked | null {
  const { signs } = facts;
  if (signs.kind === 'not_asked') return signs;
  const name = `request ${gate.id}`;
  if (signs.kind === 'gone') return `the message of ${name} cannot be found in the channel`;
  const shown = gate.approvals
    .map((approval) => approval.by)
    .filter((user) => user !== gate.requestedBy && signs.by.approve.includes(user));
  const verdicts = shown.map((user) => verdictOn(user, facts));
  const eligible = verdicts.filter((verdict) => verdict.kind === 'eligible');
  const needed = Math.max(facts.needs, approvalsNeeded(state, gate));
  if (eligible.length >= needed) return null;
  const open = verdicts.filter((verdict) => verdict.kind === 'not_asked');
  const [first] = open;
  if (first !== undefined && eligible.length + open.length >= needed) return first;
  return `Slack shows ${eligible.length} of ${needed} approvals that count on ${name}`;
}
