import type { CommandOf, NotAsked, SpendFacts, Verdict } from '../command.js';
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
    if (command.verdict.kind === 'not_asked') return lookupFailed(gate, [command.by], command.verdict);
    return reject(gate, command, command.verdict.code, command.verdict.why);
  }

  if (own) {
    return reject(gate, command, 'own_request', 'you asked for it, so a second person has to approve');
  }
  if (command.verdict.kind === 'ineligible') {
    return reject(gate, command, command.verdict.code, command.verdict.why);
  }
  if (command.verdict.kind === 'not_asked') return lookupFailed(gate, [command.by], command.verdict);
  if (gate.approvals.some((a) => a.by === command.by)) return accept();
  return accept({
    type: 'ApprovalGiven',
    gate: gate.id,
    by: command.by,
    emoji: command.emoji,
    via: command.via,
  });
}

/**
 * Slack gave no answer: nothing is decided, and it is asked again without anybody's doing. Recorded once for each
 * person, so that the request says what it waits for.
 */
function lookupFailed(gate: Gate, users: readonly string[], { why }: NotAsked): Decision {
  const known = gate.waits !== null && users.every((user) => gate.waits?.users.includes(user));
  if (!known) return accept({ type: 'LookupFailed', gate: gate.id, users: [...users], why });
  return refuse('slack_unreachable', `Slack gave no answer: ${why}.`, 'Nothing starts until it does.');
}

/**
 * A ✅ taken back before the block starts is an approval taken back, also when it was not counted yet. Other emoji
 * leave nothing to undo.
 */
export function unreact(state: OpenedRun, command: CommandOf<'Unreact'>): Decision {
  const gate = gateById(state, command.gate);
  if (gate?.status !== 'open' || command.sign === 'stop') return accept();
  const counted = command.sign === 'approve' && gate.approvals.some((a) => a.by === command.by);
  const waits = gate.waits?.users.includes(command.by) ?? false;
  if (!counted && !waits) return accept();
  return accept({
    type: 'ApprovalWithdrawn',
    gate: gate.id,
    by: command.by,
    why: counted ? 'took the ✅ back' : 'took the reaction back before it was decided',
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
  if (facts.reactions.kind === 'not_asked') return lookupFailed(gate, [], facts.reactions);
  const reactions = facts.reactions.by;

  const stoppedBy = reactions.stop[0];
  if (stoppedBy !== undefined) return stopByEmoji(state, gate, { by: stoppedBy, via: 'reconciled' });
  const refusedBy = reactions.refuse.find(
    (user) =>
      user === gate.requestedBy ||
      facts.operators.includes(user) ||
      facts.verdicts[user]?.kind === 'eligible',
  );
  if (refusedBy !== undefined) {
    return accept({ type: 'GateRefused', gate: gate.id, by: refusedBy, via: 'reconciled' });
  }

  if (facts.fingerprint.kind === 'not_asked') return lookupFailed(gate, [], facts.fingerprint);
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
  const open = new Map<string, NotAsked>();
  for (const { by } of gate.approvals) {
    const now = stillCounts(by, gate, reactions.approve, facts);
    if (now.kind === 'eligible') standing.push(by);
    else if (now.kind === 'not_asked') open.set(by, now);
    else withdrawn.push({ type: 'ApprovalWithdrawn', gate: gate.id, by, why: now.why });
  }
  if (standing.length + open.size < gate.needs) return accept(...withdrawn);
  // Whoever refuses and may be an approver refuses until the contrary is known.
  for (const user of reactions.refuse) {
    const verdict = verdictOn(user, facts);
    if (verdict.kind === 'not_asked') open.set(user, verdict);
  }
  const waiting = standing.length < gate.needs || reactions.refuse.some((user) => open.has(user));
  const [first] = open.values();
  if (waiting && first !== undefined) {
    const decision = lookupFailed(gate, [...open.keys()], first);
    return decision.kind === 'accepted' || withdrawn.length === 0
      ? prepend(withdrawn, decision)
      : accept(...withdrawn);
  }

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

function prepend(events: readonly RunEvent[], decision: Decision): Decision {
  return decision.kind === 'accepted' ? accept(...events, ...decision.events) : decision;
}

type Standing = { readonly kind: 'eligible' } | { readonly kind: 'gone'; readonly why: string } | NotAsked;

function stillCounts(by: string, gate: Gate, approving: readonly string[], facts: SpendFacts): Standing {
  if (by === gate.requestedBy) return { kind: 'gone', why: 'asked for it' };
  if (!approving.includes(by)) return { kind: 'gone', why: 'the ✅ is gone' };
  const verdict = verdictOn(by, facts);
  return verdict.kind === 'ineligible' ? { kind: 'gone', why: verdict.why } : verdict;
}

/** What was found out about a person. */
export function verdictOn(user: string, { verdicts }: Pick<SpendFacts, 'verdicts'>): Verdict {
  return verdicts[user] ?? { kind: 'not_asked', why: 'the account was not looked up', retryAfterMs: 0 };
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

/** Without its skin tone. */
const bare = (emoji: string) => emoji.split('::')[0];

function reject(
  gate: Gate,
  command: CommandOf<'React'>,
  code: ReasonCode,
  why: string,
  before: RunEvent[] = [],
): Decision {
  const known = gate.rejected.some(
    (r) => r.by === command.by && bare(r.emoji) === bare(command.emoji) && r.code === code,
  );
  // Whoever gives a sign and takes it back again and again, or is looked at again, is not answered for ever.
  if (known) return accept(...before);
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
