import { listed } from '../checks/outcome.js';
import type { Config } from '../config.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';
import type { PeopleLookup, Person } from './people-lookup.js';

/** Operators and approvers: each is a full, active member of the workspace, each group can be read. */
export function peopleChecks(config: Pick<Config, 'operators' | 'approvers'>, lookup: PeopleLookup): Check[] {
  return [
    {
      what: 'operators',
      async run() {
        const people = await Promise.all(config.operators.map(lookup.person));
        return findingsOf('operators', people, 'operators');
      },
    },
    ...Object.entries(config.approvers).map(([name, list]): Check => {
      const what = `approver list ${name}`;
      return {
        what,
        async run() {
          const people = await Promise.all(list.users.map(lookup.person));
          const groups = await Promise.all(list.usergroups.map((id) => groupFindings(what, id, lookup)));
          return [...findingsOf(what, people, `approvers.${name}.users`), ...groups.flat()];
        },
      };
    }),
  ];
}

/** One line for all who are fine, one for each who is not. */
function findingsOf(what: string, people: readonly Person[], key: string): Finding[] {
  const good = people.filter((person) => person.kind === 'eligible').map(({ name }) => name);
  const rest = people.flatMap((person) => findingOf(what, person, key));
  return good.length === 0 ? rest : [fine(what, listed(good)), ...rest];
}

function findingOf(what: string, person: Person, key: string): Finding[] {
  switch (person.kind) {
    case 'eligible':
      return [];
    case 'ineligible':
    case 'unknown':
      return [problem(what, `${person.name} ${person.why}`, `take ${person.id} out of ${key}`)];
    case 'not_asked':
      return [attention(what, `${person.name} was not checked: ${person.why}`)];
  }
}

async function groupFindings(what: string, id: string, lookup: PeopleLookup): Promise<Finding[]> {
  const group = await lookup.group(id);
  switch (group.kind) {
    case 'no_plan':
      return [
        attention(
          what,
          `user group ${id} does not count: this Slack plan has no user groups`,
          'name the approvers one by one',
        ),
      ];
    case 'unknown':
      return [
        problem(what, `user group ${id} cannot be read: ${group.why}`, `correct ${id} in the configuration`),
      ];
    case 'not_asked':
      return [attention(what, `user group ${id} was not checked: ${group.why}`)];
    case 'members': {
      const people = await Promise.all(group.users.map(lookup.person));
      const good = people.filter((person) => person.kind === 'eligible').map(({ name }) => name);
      const bad = people.filter((person) => person.kind !== 'eligible');
      const without = bad.map((person) => `${person.name} ${person.why}`);
      const facts = `user group ${id}: ${good.length === 0 ? 'nobody who counts' : listed(good)}`;
      // Who is in a group is not the configuration's business, so this is only said.
      if (without.length === 0 && good.length > 0) return [fine(what, facts)];
      return [
        attention(what, `${facts}${without.length === 0 ? '' : `; not counted: ${without.join('; ')}`}`),
      ];
    }
  }
}
