import type { CommandOf, SpendFacts, Verdict } from '../command.js';
import type { RunEvent } from '../events.js';
import { diffFingerprints } from '../fingerprint.js';
import { type ReasonCode, refuse } from '../refusal.js';
import { type Gate, gateById, type OpenedRun, stepProgress } from '../state.js';
import { accept, type Decision } from './accept.js';
import { blockDone } from './progress.js';
import { stop } from './requests.js';

/** A gate is asked: from here on people may answer. */
export function openGateWith(state: OpenedRun, command: CommandOf<'OpenGate'>, now: number): Decision {
  const gate = gateById(state, command.gate);
  if (gate === undefined || gate.status !== 'preparing') return stale(command.gate);
  return accept({
    type: 'GateOpened',
    gate: gate.id,
    needs: command.needs,
    from: [...command.from],
    eligible: [...command.eligible],
    expiresAt: now + command.expiresMs,
    fingerprint: command.fingerprint,
    plan: command.plan,
  });
}

export function closeGate(
  state: OpenedRun,
  command: CommandOf<'FailGate'> | CommandOf<'ExpireGate'>,
  now: number,
): Decision {
  const gate = gateById(state, command.gate);
  if (gate === undefined) return stale(command.gate);
  if (command.type === 'FailGate') {
    if (gate.status !== 'preparing') return stale(command.gate);
    return accept({ type: 'GatePreparationFailed', gate: gate.id, reason: command.reason });
  }
  if (gate.status !== 'open' || !expired(gate, now)) return stale(command.gate);
  return accept({ type: 'GateExpired', gate: gate.id });
}

/** A channel that deletes a request again and again is not asked for ever. */
const mostReposts = 5;

/** The message of an open request is gone: nobody can read what an approval of it covers. */
export function repostGate(state: OpenedRun, { gate: id, lost }: CommandOf<'RepostGate'>): Decision {
  const gate = gateById(state, id);
  if (gate === undefined || gate.status !== 'open' || state.closed !== null) return accept();
  if (gate.lost.includes(lost)) return accept();
  if (gate.lost.length < mostReposts) return accept({ type: 'GateReposted', gate: id, lost });
  const diff = [`its message: deleted ${mostReposts + 1} times, so nobody can read what it covers`];
  return accept({ type: 'GateVoided', gate: id, diff });
}

/**
 * A person's emoji on a gate. One that does not count is recorded with its reason, so that the person is
 * answered and the audit trail shows it.
 */
export function react(state: OpenedRun, command: CommandOf<'React'>, now: number): Decision {
  const gate = gateById(state, command.gate);
  if (gate === undefined) return refuse('gate_closed', 'That message asks for nothing.');
  if (command.sign === 'stop') return stopByEmoji(state, gate, command);

  const closed = closedBecause(state, gate, now);
  if (closed !== undefined) {
    const lapsed: RunEvent[] =
      gate.status === 'open' && closed.code === 'gate_expired'
        ? [{ type: 'GateExpired', gate: gate.id }]
        : [];
    return reject(gate, command, closed.code, closed.why, lapsed);
  }

  const own = command.by === gate.requestedBy;
  if (command.sign === 'refuse') {
    if (own || command.operator || command.verdict.kind === 'eligible') {
      return accept({ type: 'GateRefused', gate: gate.id, by: command.by, via: command.via });
    }
    return reject(gate, command, command.verdict.code, command.verdict.why);
  }

  if (own) {
    return reject(gate, command, 'own_request', 'you asked for it, so a second person has to approve');
  }
  if (command.verdict.kind === 'ineligible') {
    return reject(gate, command, command.verdict.code, command.verdict.why);
  }
  if (gate.approvals.some((a) => a.by === command.by)) return accept();
  return accept({
    type: 'ApprovalGiven',
    gate: gate.id,
    by: command.by,
    emoji: command.emoji,
    via: command.via,
  });
}

/** A ✅ taken back before the block starts is an approval taken back. Other emoji leave nothing to undo. */
export function unreact(state: OpenedRun, command: CommandOf<'Unreact'>): Decision {
  const gate = gateById(state, command.gate);
  const counted = gate?.status === 'open' && gate.approvals.some((a) => a.by === command.by);
  if (gate === undefined || command.sign !== 'approve' || !counted) return accept();
  return accept({
    type: 'ApprovalWithdrawn',
    gate: gate.id,
    by: command.by,
    why: 'took the ✅ back',
  });
}

/**
 * The last look before a block starts: the fingerprint, the reactions and the people are those of now.
 * Nothing different keeps the approval, and it is spent here, once.
 */
export function spendGate(state: OpenedRun, command: CommandOf<'SpendGate'>, now: number): Decision {
  const gate = gateById(state, command.gate);
  if (gate === undefined || gate.status !== 'open' || gate.fingerprint === null) return stale(command.gate);
  if (expired(gate, now)) return accept({ type: 'GateExpired', gate: gate.id });
  const { facts } = command;
  if (facts.reactions === null) {
    return refuse(
      'slack_unreachable',
      'Slack cannot be asked whether the approval still stands.',
      'Nothing starts until it can.',
    );
  }

  const stoppedBy = facts.reactions.stop[0];
  if (stoppedBy !== undefined) return stopByEmoji(state, gate, { by: stoppedBy, via: 'reconciled' });
  const refusedBy = facts.reactions.refuse.find(
    (user) =>
      user === gate.requestedBy ||
      facts.operators.includes(user) ||
      facts.verdicts[user]?.kind === 'eligible',
  );
  if (refusedBy !== undefined) {
    return accept({ type: 'GateRefused', gate: gate.id, by: refusedBy, via: 'reconciled' });
  }

  if (facts.fingerprint.kind === 'failed') {
    return accept({
      type: 'GateVoided',
      gate: gate.id,
      diff: [`what was approved cannot be computed again: ${facts.fingerprint.why}`],
    });
  }
  const diff = diffFingerprints(gate.fingerprint, facts.fingerprint.fingerprint);
  if (diff.length > 0 || gate.fingerprint.digest !== facts.fingerprint.fingerprint.digest) {
    return accept({ type: 'GateVoided', gate: gate.id, diff });
  }

  const withdrawn: RunEvent[] = [];
  const standing: string[] = [];
  for (const { by } of gate.approvals) {
    const why = noLongerCounts(by, gate, facts);
    if (why === null) standing.push(by);
    else withdrawn.push({ type: 'ApprovalWithdrawn', gate: gate.id, by, why });
  }
  if (standing.length < gate.needs) return accept(...withdrawn);

  const spent: RunEvent = {
    type: 'GateSpent',
    gate: gate.id,
    approvers: standing,
    digest: gate.fingerprint.digest,
  };
  return accept(...withdrawn, spent, ...effectsOf(state, gate));
}

function effectsOf(state: OpenedRun, gate: Gate): RunEvent[] {
  const { cover } = gate;
  if (cover.kind === 'block') return [{ type: 'BlockStarted', block: cover.block, from: cover.from }];
  const skipped: RunEvent = {
    type: 'StepSkipped',
    block: cover.block,
    step: cover.step,
    attempt: Math.max(1, stepProgress(state, cover.block, cover.step).attempt),
    gate: gate.id,
    reason: cover.reason,
  };
  return blockDone(state, cover.block, cover.step)
    ? [skipped, { type: 'BlockFinished', block: cover.block }]
    : [skipped];
}

function noLongerCounts(by: string, gate: Gate, facts: SpendFacts): string | null {
  if (by === gate.requestedBy) return 'asked for it';
  if (!facts.reactions?.approve.includes(by)) return 'the ✅ is gone';
  const verdict: Verdict | undefined = facts.verdicts[by];
  if (verdict === undefined) return 'could not be looked up again';
  return verdict.kind === 'eligible' ? null : verdict.why;
}

function stopByEmoji(
  state: OpenedRun,
  gate: Gate,
  command: Pick<CommandOf<'React'>, 'by' | 'via'>,
): Decision {
  if (state.closed !== null) return accept();
  const decision = stop(state, {
    type: 'Stop',
    by: command.by,
    reason: `🛑 on request ${gate.id}`,
    now: false,
    via: command.via,
  });
  // A second 🛑 changes nothing and needs no answer.
  return decision.kind === 'refused' ? accept() : decision;
}

/** How often one person is told that they could not be looked up. */
const mostFailures = 3;

/** Without its skin tone. */
const bare = (emoji: string) => emoji.split('::')[0];

function reject(
  gate: Gate,
  command: CommandOf<'React'>,
  code: ReasonCode,
  why: string,
  before: RunEvent[] = [],
): Decision {
  const known = gate.rejected.filter(
    (r) => r.by === command.by && bare(r.emoji) === bare(command.emoji) && r.code === code,
  ).length;
  // Whoever gives a sign and takes it back again and again, or is looked at again, is not answered for ever. Who was asked
  // to give it again, since nobody could be looked up, hears of that too.
  const most = code === 'lookup_failed' && command.via === 'reaction' ? mostFailures : 1;
  if (known >= most) return accept(...before);
  return accept(...before, {
    type: 'ReactionRejected',
    gate: gate.id,
    by: command.by,
    emoji: command.emoji,
    code,
    why,
  });
}

function closedBecause(
  state: OpenedRun,
  gate: Gate,
  now: number,
): { code: ReasonCode; why: string } | undefined {
  if (state.closed !== null) return { code: 'run_closed', why: `run ${state.run} is closed` };
  if (state.untrusted !== null) return { code: 'not_believed', why: `run ${state.run} is untrusted` };
  switch (gate.status) {
    case 'open':
      return expired(gate, now) ? { code: 'gate_expired', why: 'the request has expired' } : undefined;
    case 'preparing':
    case 'not-prepared':
      return { code: 'gate_closed', why: 'the request was not ready to be answered' };
    case 'spent':
      return { code: 'gate_closed', why: 'what it asks for has been approved and started already' };
    case 'refused':
      return { code: 'gate_closed', why: `<@${gate.closedBy ?? ''}> refused the request` };
    case 'expired':
      return { code: 'gate_expired', why: 'the request has expired' };
    case 'voided':
      return { code: 'gate_closed', why: 'what it covered has changed, so the request is void' };
    case 'cancelled':
      return { code: 'gate_closed', why: 'the request was withdrawn' };
  }
}

function expired(gate: Gate, now: number): boolean {
  return gate.expiresAt !== null && now >= gate.expiresAt;
}

function stale(gate: number): Decision {
  return refuse('stale', `Request ${gate} is no longer in that state.`);
}
