import { describeBlock, describeCover } from '../../runbook/decide/words.js';
import type { RunEvent } from '../../runbook/events.js';
import { shortDigest } from '../../runbook/fingerprint.js';
import type { RunState } from '../../runbook/state.js';
import { duration, utc } from './words.js';

/**
 * One line of the audit trail in words. It is plain text: people stand as `<@U…>`, and whoever shows it
 * escapes it for where it is shown.
 * @param state the run's state after the event (for an event outside any run: `{kind: 'none'}`)
 */
export function describeEvent(event: RunEvent, state: RunState): string {
  const gate = (id: number) => {
    const found = state.kind === 'run' ? state.gates.find((g) => g.id === id) : undefined;
    return found === undefined || state.kind === 'none'
      ? `request ${id}`
      : `request ${id} (${describeCover(state.runbook, found.cover)})`;
  };
  const block = (ref: Parameters<typeof describeBlock>[1]) =>
    state.kind === 'run' ? describeBlock(state.runbook, ref) : ref.kind;
  switch (event.type) {
    case 'RunOpened':
      return `opened run ${event.run} of ${event.runbook.runbook}, runbook digest ${shortDigest(event.digest)}`;
    case 'ApprovalRequested':
      return `asked for approval: ${gate(event.gate)}${via(event.via)}`;
    case 'GatePreparationFailed':
      return `${gate(event.gate)} could not be prepared: ${event.reason}`;
    case 'GateOpened':
      return `${gate(event.gate)} opened, needs ${event.needs}, until ${utc(event.expiresAt)}, fingerprint ${shortDigest(event.fingerprint.digest)}`;
    case 'ApprovalGiven':
      return `approved ${gate(event.gate)} with :${event.emoji}:${via(event.via)}`;
    case 'ApprovalWithdrawn':
      return `has given no approval of ${gate(event.gate)} any more: ${event.why}`;
    case 'LookupFailed':
      return `no answer about ${gate(event.gate)}${event.users.length === 0 ? '' : `, ${event.users.map((id) => `<@${id}>`).join(', ')}`}: ${event.why}; asked again`;
    case 'ReactionRejected':
      return `reacted with :${event.emoji}: on ${gate(event.gate)}; it does not count (${event.code}): ${event.why}`;
    case 'GateRefused':
      return `refused ${gate(event.gate)}${via(event.via)}`;
    case 'GateReposted':
      return event.lost.startsWith('F')
        ? `shared the files of ${gate(event.gate)} again, since one was gone; approvals count again once they can be read`
        : `posted ${gate(event.gate)} again, since its message was gone; approvals on it do not count`;
    case 'GateExpired':
      return `${gate(event.gate)} expired`;
    case 'GateCancelled':
      return `withdrew ${gate(event.gate)}: ${event.why}`;
    case 'GateVoided':
      return `${gate(event.gate)} became void: ${event.diff.join('; ')}`;
    case 'GateSpent':
      return `${gate(event.gate)} spent, approved by ${event.approvers.map((id) => `<@${id}>`).join(', ')}, fingerprint ${shortDigest(event.digest)}`;
    case 'ApprovalNotConfirmed':
      return `did not start step ${event.step}: ${event.why}`;
    case 'JournalMismatch':
      return `the journal differs from a head that was noted at position ${event.position} (${event.place})`;
    case 'BlockStarted':
      return `started ${block(event.block)}${event.from === null ? '' : ` from step ${event.from}`}`;
    case 'StepStarted':
      return `started step ${event.step} on ${event.target}, attempt ${event.attempt}`;
    case 'StepFinished':
      return `step ${event.step} ${event.result} in ${duration(event.durationMs)}, attempt ${event.attempt}${event.recovered ? ', found out after an interruption' : ''}: ${event.summary}`;
    case 'StepSkipped':
      return `skipped step ${event.step} under request ${event.gate}: ${event.reason}`;
    case 'StepRetried':
      return `set step ${event.step} to run again${via(event.via)}`;
    case 'FailureAssessed':
      return `looked at the targets after ${event.step}, attempt ${event.attempt}: ${event.targets.map((t) => `${t.target} ${t.summary}`).join('; ')}`;
    case 'StopRequested':
      return `stopped the run${event.now ? ' and its running step' : ''}${via(event.via)}${event.reason === '' ? '' : `: ${event.reason}`}`;
    case 'RunResumed':
      return `resumed the run${via(event.via)}`;
    case 'BlockFinished':
      return `finished ${block(event.block)}`;
    case 'CommandRefused':
      return `ran ${event.command}, which was refused (${event.code}): ${event.why}`;
    case 'PlanShown':
      return `looked at the plan of ${event.runbook}`;
    case 'RunClosed':
      return `closed the run as ${event.outcome}${event.reason === '' ? '' : `: ${event.reason}`}`;
  }
}

function via(how: 'command' | 'button' | 'reaction' | 'reconciled'): string {
  switch (how) {
    case 'command':
      return '';
    case 'button':
      return ' by button';
    case 'reaction':
      return ' by reaction';
    case 'reconciled':
      return ' (seen when looking again)';
  }
}
