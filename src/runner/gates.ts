import type { Config } from '../config.js';
import type { CommandOf, ConfirmFacts, NotAsked, Signs, SpendFacts, Verdict } from '../runbook/command.js';
import { type BlockRef, findBlock } from '../runbook/definition.js';
import type { Loss } from '../runbook/events.js';
import { leftOut, leftOutPart } from '../runbook/left-out.js';
import { type People, requestOf } from '../runbook/people.js';
import { floorsOf, strictest } from '../runbook/policy.js';
import { approvalOf, type Gate, isChanging, type OpenedRun } from '../runbook/state.js';
import type { Elsewhere } from './elsewhere.js';
import type { Planned, Planner, StepToPlan } from './plan.js';
import type { LossCounter } from './ports.js';

export interface Gates {
  /** Works out what a requested approval covers: the command that opens the gate, or says why it cannot open. */
  prepare(state: OpenedRun, gate: Gate): Promise<CommandOf<'OpenGate'> | CommandOf<'FailGate'> | NotAsked>;
  /** Reads everything again right before the gate is spent. */
  spend(state: OpenedRun, gate: Gate): Promise<CommandOf<'SpendGate'>>;
  /**
   * Asks Slack whether the approval of a change stands, whatever the journal says.
   * @returns null for a step that changes nothing, by this bot's own kinds: the run's list of changing kinds is in the
   * journal too
   */
  confirm(
    state: OpenedRun,
    at: { readonly block: BlockRef; readonly step: string },
  ): Promise<CommandOf<'ConfirmApproval'> | null>;
}

export function createGates(deps: {
  readonly config: Pick<Config, 'targets' | 'operators'>;
  readonly planner: Planner;
  readonly people: People;
  readonly elsewhere: Elsewhere;
  /** Names of the step kinds that change a target. */
  readonly changing: readonly string[];
  readonly loss: LossCounter;
  /** ms since the epoch, by the journal's clock */
  readonly now: () => number;
}): Gates {
  const { config, planner, people, now } = deps;

  async function plan(state: OpenedRun, gate: Gate): Promise<Planned> {
    const steps = coveredSteps(state, gate);
    if (steps.length === 0) return { kind: 'failed', why: 'the runbook has no such steps' };
    const { approvals, lists } = policyOf(state, gate);
    // What people were told about who must approve is part of what they approved.
    const rule = `${approvals} of ${lists.length === 0 ? 'all approvers' : [...lists].sort().join(' and ')}`;
    const skips = leftOut(state);
    const planned = await planner.plan(state.runbook, state.digest, steps, {
      parts: { approvals: rule, ...leftOutPart(skips) },
      elsewhere: (target) => deps.elsewhere(state, target),
    });
    if (planned.kind !== 'planned' || skips.length === 0) return planned;
    return { ...planned, plan: { ...planned.plan, leftOut: skips } };
  }

  function policyOf(state: OpenedRun, gate: Gate) {
    const block = findBlock(state.runbook, gate.cover.block);
    if (block === undefined) throw new Error(`gate ${gate.id} covers a block that is not in the runbook`);
    return strictest(state.runbook, block, floorsOf(config.targets));
  }

  /** What people must know of the rollback before they agree to it; counts move, so the approval leaves them out. */
  async function lossOf(state: OpenedRun, { cover }: Gate): Promise<{ loss?: Loss[] }> {
    if (cover.kind !== 'block' || cover.block.kind !== 'rollback') return {};
    return { loss: await deps.loss.count(state.runbook.rollback.loss) };
  }

  /** Who may approve as far as Slack answered, and what it did not answer. */
  async function eligibleFor(lists: readonly string[]) {
    const each = lists.length === 0 ? [[]] : lists.map((list) => [list]);
    const rosters = await Promise.all(each.map((names) => people.roster(names)));
    const [first, ...rest] = rosters.map((r) => r.eligible);
    const users = (first ?? []).filter((user) => rest.every((other) => other.includes(user)));
    return { users, notAsked: rosters.flatMap((r) => r.notAsked)[0] };
  }

  async function verdictsOf(users: readonly string[], lists: readonly string[]) {
    const found = await Promise.all(
      users.map(async (user): Promise<[string, Verdict]> => [user, await people.verdict(user, lists)]),
    );
    return Object.fromEntries(found);
  }

  /** Every list that counts, by the request and by the configuration of now. */
  async function confirmFacts(state: OpenedRun, gate: Gate | undefined): Promise<ConfirmFacts> {
    const nothing: Signs = { kind: 'gone' };
    if (gate === undefined) return { gate: null, signs: nothing, verdicts: {}, needs: 1 };
    const { approvals: needs, lists } = policyOf(state, gate);
    const signs = await people.signs(requestOf(state, gate));
    const shown = signs.kind === 'read' ? signs.by.approve : [];
    const asked = gate.approvals.map((a) => a.by).filter((user) => shown.includes(user));
    const verdicts = await verdictsOf(asked, [...new Set([...gate.from, ...lists])]);
    return { gate: gate.id, signs, verdicts, needs };
  }

  return {
    async confirm(state, at) {
      const step = findBlock(state.runbook, at.block)?.steps.find((s) => s.id === at.step);
      if (step === undefined) return null;
      if (!isChanging(state, step) && !deps.changing.includes(step.uses)) return null;
      const facts = await confirmFacts(state, approvalOf(state, at.block));
      return { type: 'ConfirmApproval', block: at.block, step: at.step, facts };
    },
    async prepare(state, gate) {
      const policy = policyOf(state, gate);
      const [planned, eligible, loss] = await Promise.all([
        plan(state, gate),
        eligibleFor(policy.lists),
        lossOf(state, gate),
      ]);
      if (planned.kind !== 'planned') return { type: 'FailGate', gate: gate.id, reason: planned.why };
      const others = eligible.users.filter((user) => user !== gate.requestedBy);
      if (others.length < policy.approvals && eligible.notAsked !== undefined) {
        if (now() - gate.requestedAt < lookupPatienceMs) return eligible.notAsked;
        const reason = `who may approve could not be looked up: ${eligible.notAsked.why}`;
        return { type: 'FailGate', gate: gate.id, reason };
      }
      if (others.length < policy.approvals) {
        const reason = `${policy.approvals} approval(s) are needed and ${others.length} person(s) besides the requester may give one`;
        return { type: 'FailGate', gate: gate.id, reason };
      }
      return {
        type: 'OpenGate',
        gate: gate.id,
        needs: policy.approvals,
        from: policy.lists,
        eligible: others,
        expiresMs: policy.expires,
        plan: { ...planned.plan, ...loss },
        fingerprint: planned.fingerprint,
      };
    },
    async spend(state, gate) {
      const signs = async () => {
        const answer = await people.signs(requestOf(state, gate));
        return answer.kind === 'gone' ? reposted : answer;
      };
      const spendWith = (facts: SpendFacts): CommandOf<'SpendGate'> => ({
        type: 'SpendGate',
        gate: gate.id,
        facts,
      });
      // Asked first, too: while Slack cannot be asked there is no use in planning every few seconds.
      const before = await signs();
      if (before.kind === 'not_asked') {
        return spendWith({ reactions: before, verdicts: {}, operators: [], fingerprint: before });
      }
      const planned = await plan(state, gate);
      // Planning takes its time: a ✅ that was taken back meanwhile must be seen.
      const reactions = await signs();
      const refused = reactions.kind === 'read' ? reactions.by.refuse : [];
      const asked = new Set([...gate.approvals.map((a) => a.by), ...refused]);
      const verdicts = await verdictsOf([...asked], gate.from);
      return spendWith({
        reactions,
        verdicts,
        operators: config.operators,
        fingerprint:
          planned.kind === 'planned' ? { kind: 'computed', fingerprint: planned.fingerprint } : planned,
      });
    },
  };
}

/** Not a no while the request is open: whoever compares open requests with Slack posts it again. */
const reposted: NotAsked = {
  kind: 'not_asked',
  why: 'its message is not in the channel; it is posted again',
  retryAfterMs: 0,
};

/** How long the people who may approve are looked up before the request is given up, ms. */
const lookupPatienceMs = 120_000;

/** The steps that an approval of this gate lets run, with the skipped one named as such. */
function coveredSteps(state: OpenedRun, gate: Gate): StepToPlan[] {
  const { cover } = gate;
  const block = findBlock(state.runbook, cover.block);
  if (block === undefined) return [];
  const at = cover.kind === 'skip' ? cover.step : cover.from;
  const first = at === null ? 0 : block.steps.findIndex((s) => s.id === at);
  if (first < 0) return [];
  return block.steps.slice(first).map((step): StepToPlan => {
    const skipped = cover.kind === 'skip' && step.id === cover.step;
    return skipped ? { block, step, prefix: 'Left out, not run:' } : { block, step };
  });
}
