import { listed, plural } from '../checks/outcome.js';
import type { Config } from '../config.js';
import type { Runbook } from '../runbook/definition.js';
import { floorsOf, strictest } from '../runbook/policy.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';
import type { PeopleLookup, Person } from './people-lookup.js';

/** What a gate asks for, and of which blocks. */
interface Demand {
  readonly blocks: readonly string[];
  readonly lists: readonly string[];
  readonly approvals: number;
}

type Rules = Pick<Config, 'operators' | 'approvers' | 'targets'>;

/**
 * Whether every gate can be opened: the requester never counts, so there must be enough people besides them.
 * @param runbook null when it cannot be read; then only the targets' own policies are looked at
 */
export function gatesCheck(config: Rules, runbook: () => Runbook | null, lookup: PeopleLookup): Check {
  const what = 'approvals';
  return {
    what,
    async run() {
      const drivers = await Promise.all(config.operators.map(lookup.person));
      const demands = demandsOf(config, runbook());
      const findings = await Promise.all(demands.map((demand) => judge(config, demand, drivers, lookup)));
      const bad = findings.flat();
      if (bad.length > 0) return bad;
      return [
        fine(
          what,
          `besides the requester there are enough people for ${plural(demands.length, 'kind')} of gate`,
        ),
      ];
    },
  };
}

function demandsOf(config: Rules, runbook: Runbook | null): Demand[] {
  const raw: Demand[] =
    runbook === null
      ? Object.values(config.targets).map(({ name, gate }) => ({
          blocks: [`target ${name}`],
          lists: gate.from === undefined ? [] : [gate.from],
          approvals: gate.approvals,
        }))
      : [...runbook.phases, ...runbook.operations, runbook.rollback].flatMap((block): Demand[] => {
          if (block.gate === 'none') return [];
          const { lists, approvals } = strictest(runbook, block, floorsOf(config.targets));
          return [{ blocks: [block.id], lists, approvals }];
        });
  const merged = new Map<string, Demand>();
  for (const demand of raw) {
    const key = JSON.stringify([[...demand.lists].sort(), demand.approvals]);
    const known = merged.get(key);
    merged.set(key, { ...demand, blocks: [...(known?.blocks ?? []), ...demand.blocks] });
  }
  return [...merged.values()];
}

async function judge(
  config: Rules,
  demand: Demand,
  drivers: readonly Person[],
  lookup: PeopleLookup,
): Promise<Finding[]> {
  const what = `approvals for ${listed(demand.blocks)}`;
  const people = await onLists(config, demand.lists, lookup);
  if (people === null || drivers.some((d) => d.kind === 'not_asked')) {
    return [attention(what, 'not checked, since not everybody could be looked up')];
  }
  const approvers = people.filter((person) => person.kind === 'eligible');
  const able = drivers.filter((driver) => driver.kind === 'eligible');
  const short = able.filter((d) => approvers.filter((a) => a.id !== d.id).length < demand.approvals);
  const from = demand.lists.length === 0 ? '' : ` from ${listed(demand.lists)}`;
  const asks = `${plural(demand.approvals, 'approval')}${from} asked for`;
  const names = approvers.length === 0 ? 'nobody' : listed(approvers.map((a) => a.name));
  if (able.length === 0)
    return [problem(what, `${asks}, but no operator could request it`, 'name an operator')];
  if (short.length === able.length) {
    return [
      problem(
        what,
        `${asks}; ${names} may give one, and never for their own request, so no operator can get through`,
        'add an approver who is not the only operator',
      ),
    ];
  }
  if (short.length === 0) return [];
  const who = listed(short.map((driver) => driver.name));
  return [attention(what, `${asks}, which is out of reach when ${who} drives: only ${names} may approve`)];
}

/** Everybody on the lists with groups expanded; null when somebody could not be looked up. */
async function onLists(
  config: Rules,
  names: readonly string[],
  lookup: PeopleLookup,
): Promise<readonly Person[] | null> {
  // When several lists are named, somebody on any of them counts, as at the gate itself.
  const lists = (names.length === 0 ? Object.keys(config.approvers) : names).flatMap(
    (name) => config.approvers[name] ?? [],
  );
  const groups = await Promise.all([...new Set(lists.flatMap((l) => l.usergroups))].map(lookup.group));
  if (groups.some((group) => group.kind === 'not_asked')) return null;
  const members = groups.flatMap((group) => (group.kind === 'members' ? group.users : []));
  const ids = new Set([...lists.flatMap((l) => l.users), ...members]);
  const people = await Promise.all([...ids].map(lookup.person));
  return people.some((person) => person.kind === 'not_asked') ? null : people;
}
