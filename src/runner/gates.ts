import type { Config } from '../config.js';
import type { Command, ConfirmFacts, Signs, SpendFacts, Verdict } from '../runbook/command.js';
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
  prepare(state: OpenedRun, gate: Gate): Promise<Command>;
  /** Reads everything again right before the gate is spent. */
  spend(state: OpenedRun, gate: Gate): Promise<Command>;
  /**
   * Asks Slack whether the approval of a change stands, whatever the journal says.
   * @returns null for a step that changes nothing, by this bot's own kinds: the run's list of changing kinds is in the
   * journal too
   */
  confirm(state: OpenedRun, at: { readonly block: BlockRef; readonly step: string }): Promise<Command | null>;
}

export function createGates(deps: {
  readonly config: Pick<Config, 'targets' | 'operators'>;
  readonly planner: Planner;
  readonly people: People;
  readonly elsewhere: Elsewhere;
  /** Names of the step kinds that change a target. */
  readonly changing: readonly string[];
  readonly loss: LossCounter;
}): Gates {
  const { config, planner, people } = deps;

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
    if (planned.kind === 'failed' || skips.length === 0) return planned;
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

  async function eligibleFor(lists: readonly string[]): Promise<string[]> {
    if (lists.length === 0) return [...(await people.roster([])).eligible];
    const rosters = await Promise.all(lists.map((list) => people.roster([list])));
    const [first, ...rest] = rosters.map((r) => r.eligible);
    return (first ?? []).filter((user) => rest.every((other) => other.includes(user)));
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
      if (planned.kind === 'failed') return { type: 'FailGate', gate: gate.id, reason: planned.why };
      const others = eligible.filter((user) => user !== gate.requestedBy);
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
        // One that is gone is posted again by whoever compares open requests with Slack.
        return answer.kind === 'read' ? answer.by : null;
      };
      const spendWith = (facts: SpendFacts): Command => ({ type: 'SpendGate', gate: gate.id, facts });
      // Asked first, too: while Slack cannot be asked there is no use in planning every few seconds.
      if ((await signs()) === null) {
        const why = 'Slack could not be asked';
        return spendWith({
          reactions: null,
          verdicts: {},
          operators: [],
          fingerprint: { kind: 'failed', why },
        });
      }
      const planned = await plan(state, gate);
      // Planning takes its time: a ✅ that was taken back meanwhile must be seen.
      const reactions = await signs();
      const asked = new Set([...gate.approvals.map((a) => a.by), ...(reactions?.refuse ?? [])]);
      const verdicts = await verdictsOf([...asked], gate.from);
      return spendWith({
        reactions,
        verdicts,
        operators: config.operators,
        fingerprint:
          planned.kind === 'planned'
            ? { kind: 'computed', fingerprint: planned.fingerprint }
            : { kind: 'failed', why: planned.why },
      });
    },
  };
}

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
