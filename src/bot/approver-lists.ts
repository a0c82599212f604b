import { WebAPIPlatformError, type WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { ApproverList } from '../config.js';
import { messageOf } from './log.js';

/** Who stands on a set of approver lists. */
export interface Listed {
  readonly users: ReadonlySet<string>;
  /** User groups that cannot be read because the workspace's plan has none. */
  readonly withoutGroups: readonly string[];
  /** Look-ups that failed: somebody may be on a list and not be known to be. */
  readonly failures: readonly string[];
}

const GroupUsers = z.object({ users: z.array(z.string()) });

/** Reads approver lists by name, all of them when none is named, with user groups expanded. */
export async function readLists(
  client: WebClient,
  lists: Readonly<Record<string, ApproverList>>,
  names: readonly string[],
): Promise<Listed> {
  const wanted = names.length === 0 ? Object.keys(lists) : names;
  const users = new Set<string>();
  const groups = new Set<string>();
  const withoutGroups: string[] = [];
  const failures: string[] = [];
  for (const name of wanted) {
    const list = Object.hasOwn(lists, name) ? lists[name] : undefined;
    if (list === undefined) failures.push(`there is no approver list ${name}`);
    for (const user of list?.users ?? []) users.add(user);
    for (const group of list?.usergroups ?? []) groups.add(group);
  }
  await Promise.all(
    [...groups].map(async (usergroup) => {
      try {
        const answer = GroupUsers.parse(await client.usergroups.users.list({ usergroup }));
        for (const user of answer.users) users.add(user);
      } catch (error) {
        if (error instanceof WebAPIPlatformError && error.data.error === 'plan_upgrade_required') {
          withoutGroups.push(
            `user group ${usergroup} does not count: this Slack plan has no user groups, so only listed users do`,
          );
        } else failures.push(`user group ${usergroup} cannot be read: ${messageOf(error)}`);
      }
    }),
  );
  return { users, withoutGroups, failures };
}
