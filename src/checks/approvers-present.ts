import { z } from 'zod';
import type { Config, TargetConfig } from '../config.js';
import type { Runbook } from '../runbook/definition.js';
import { floorsOf, strictest } from '../runbook/policy.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, listed, passed, plural, unknown } from './outcome.js';

const Args = z.strictObject({
  /** How many people besides the requester there must be, at least; gates that need more are counted too. */
  'at-least': z.int('expected a whole number').min(1, 'expected at least 1').default(1),
});

/** One gate's demand: so many people from these lists. */
interface Demand {
  readonly label: string;
  readonly lists: readonly string[];
  readonly needs: number;
}

/** Looks now whether the gates ahead can be opened at all, instead of when everybody waits for them. */
export function approversPresent(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'approvers.present',
    changes: false,
    args: Args,
    describe: (args, { runbook }) => ({
      words: `Make sure that besides the requester enough people can approve: ${demands(
        runbook,
        deps.config,
        args['at-least'],
      )
        .map((d) => `${d.needs} for ${d.label}`)
        .join(', ')}.`,
      commands: [],
    }),
    async run(args, { runbook, requester }) {
      const lines: string[] = [];
      const short: string[] = [];
      let unanswered = false;
      const able = new Set<string>();
      for (const demand of demands(runbook, deps.config, args['at-least'])) {
        // Whoever approves must be on each of the lists, as the gate will ask.
        const each = demand.lists.length === 0 ? [[]] : demand.lists.map((list) => [list]);
        const rosters = await Promise.all(each.map((lists) => deps.people.roster(lists)));
        const eligible = (rosters[0]?.eligible ?? []).filter((user) =>
          rosters.every((roster) => roster.eligible.includes(user)),
        );
        const others = eligible.filter((user) => user !== requester);
        for (const user of others) able.add(user);
        if (others.length < demand.needs) {
          if (rosters.some((roster) => roster.notAsked.length > 0)) unanswered = true;
          short.push(
            `${demand.label} needs ${plural(demand.needs, 'approver')} besides you, found ${others.length}`,
          );
        }
        lines.push(
          `${demand.label}${demand.lists.length === 0 ? '' : ` (from ${listed(demand.lists)})`}: ${others.map(mention).join(', ') || 'nobody'}`,
          ...rosters
            .flatMap((r) => r.ineligible)
            .map(({ user, why }) => `  does not count: ${mention(user)}, ${why}`),
          ...(eligible.includes(requester)
            ? [`  does not count: ${mention(requester)}, who asks for the approval`]
            : []),
          ...rosters.flatMap((r) => r.problems).map((problem) => `  does not count: ${problem}`),
          ...rosters.flatMap((r) => r.notAsked).map(({ why }) => `  no answer: ${why}`),
        );
      }
      const output = [...new Set(lines)].join('\n');
      if (short.length > 0 && unanswered) {
        return unknown(`Slack gave no answer about some approvers; without them: ${short.join('; ')}`, {
          output,
        });
      }
      if (short.length > 0) return failed(short.join('; '), { output });
      const names = [...able].map(mention);
      return passed(`${listed(names)} can approve`, { output, data: { people: [...able] } });
    },
  });
}

/** What each gated block of the runbook asks for, the stricter of its own policy and its targets'. */
function demands(runbook: Runbook, config: Pick<Config, 'targets'>, atLeast: number): Demand[] {
  return [...runbook.phases, ...runbook.operations, runbook.rollback].flatMap((block) => {
    if (block.gate === 'none') return [];
    const { lists, approvals } = strictest(runbook, block, floorsOf(config.targets));
    return [{ label: block.id, lists, needs: Math.max(atLeast, approvals) }];
  });
}

function mention(user: string): string {
  return `<@${user}>`;
}
