import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { ApproverList } from '../config.js';
import type { NotAsked } from '../runbook/command.js';
import { type Ask, notAsked } from './asking.js';

/** Who stands on a set of approver lists. */
export interface Listed {
  readonly users: ReadonlySet<string>;
  /** What of the lists names nobody, for good: a group that does not exist, or any group on a free plan. */
  readonly problems: readonly string[];
  /** Look-ups without an answer: somebody may be on a list and not be known to be. */
  readonly notAsked: readonly NotAsked[];
}

const GroupUsers = z.object({ users: z.array(z.string()) });

/** Reads approver lists by name, all of them when none is named, with user groups expanded. */
export async function readLists(
  { client, ask }: { readonly client: WebClient; readonly ask: Ask },
  lists: Readonly<Record<string, ApproverList>>,
  names: readonly string[],
): Promise<Listed> {
  const wanted = names.length === 0 ? Object.keys(lists) : names;
  const users = new Set<string>();
  const groups = new Set<string>();
  const problems: string[] = [];
  const failures: NotAsked[] = [];
  for (const name of wanted) {
    const list = Object.hasOwn(lists, name) ? lists[name] : undefined;
    if (list === undefined) problems.push(`there is no approver list ${name}`);
    for (const user of list?.users ?? []) users.add(user);
    for (const group of list?.usergroups ?? []) groups.add(group);
  }
  await Promise.all(
    [...groups].map(async (usergroup) => {
      const asked = await ask('usergroups.users.list', async () =>
        GroupUsers.parse(await client.usergroups.users.list({ usergroup })),
      );
      if (asked.kind === 'answered') for (const user of asked.value.users) users.add(user);
      else if (asked.kind === 'not_asked') {
        failures.push({ ...asked, why: `user group ${usergroup} could not be read (${asked.why})` });
      } else if (asked.code === 'plan_upgrade_required') {
        problems.push(
          `user group ${usergroup} does not count: this Slack plan has no user groups, so only listed users do`,
        );
      } else if (asked.code === 'no_such_subteam') {
        problems.push(`user group ${usergroup} does not exist in Slack`);
      } else
        failures.push(notAsked(`user group ${usergroup} could not be read (Slack answered ${asked.code})`));
    }),
  );
  return { users, problems, notAsked: failures };
}
