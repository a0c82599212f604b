import { z } from 'zod';
import { judgeKind, SlackUser } from '../bot/eligibility.js';
import type { Config } from '../config.js';
import { failureWords, type SlackSession } from './slack-session.js';

/** Somebody named in the configuration, as Slack knows them. */
export type Person =
  | { readonly kind: 'eligible'; readonly id: string; readonly name: string }
  | { readonly kind: 'ineligible'; readonly id: string; readonly name: string; readonly why: string }
  | { readonly kind: 'unknown'; readonly id: string; readonly name: string; readonly why: string }
  /** Slack could not be asked; the person may be fine. */
  | { readonly kind: 'not_asked'; readonly id: string; readonly name: string; readonly why: string };

export type Group =
  | { readonly kind: 'members'; readonly users: readonly string[] }
  /** Free plans have no user groups. */
  | { readonly kind: 'no_plan' }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'not_asked'; readonly why: string };

/** Looks people and groups up, each once. */
export interface PeopleLookup {
  person(id: string): Promise<Person>;
  group(id: string): Promise<Group>;
}

const UserInfo = z.looseObject({ user: SlackUser });
const Names = z.looseObject({
  user: z.looseObject({ name: z.string().optional(), real_name: z.string().optional() }),
});
const GroupUsers = z.looseObject({ users: z.array(z.string()) });

/** The same judgement as at a gate, in words that also fit people who only drive. */
const reasons = new Map([
  ['deactivated', 'has a deactivated account'],
  ['bot', 'is a bot'],
  ['guest', 'is a guest'],
  ['stranger', 'is from outside the workspace'],
  ['other_workspace', 'belongs to another workspace'],
]);

export function createPeopleLookup(config: Pick<Config, 'slack'>, session: SlackSession): PeopleLookup {
  const people = new Map<string, Promise<Person>>();
  const groups = new Map<string, Promise<Group>>();
  const memo =
    <T>(known: Map<string, Promise<T>>, look: (id: string) => Promise<T>) =>
    (id: string) => {
      const found = known.get(id) ?? look(id);
      known.set(id, found);
      return found;
    };

  async function person(id: string): Promise<Person> {
    const self = await session.self();
    if (self === null) return { kind: 'not_asked', id, name: id, why: 'Slack does not take the bot token' };
    const answer = await session.ask('users.info', { user: id });
    if (answer.kind !== 'ok') {
      if (answer.kind === 'refused' && answer.code === 'user_not_found') {
        return { kind: 'unknown', id, name: id, why: 'does not exist in this workspace' };
      }
      return { kind: 'not_asked', id, name: id, why: failureWords(answer) };
    }
    const names = Names.safeParse(answer.body).data?.user;
    const name = `${names?.real_name || names?.name || 'somebody'} (${id})`;
    const parsed = UserInfo.safeParse(answer.body);
    if (!parsed.success) return { kind: 'not_asked', id, name, why: 'Slack described them incompletely' };
    // A wrong workspace in the configuration is one problem, not one for each person.
    const own = [self.team_id, self.enterprise_id].includes(config.slack.team);
    const verdict = judgeKind(parsed.data.user, own ? config.slack.team : self.team_id, {
      enterpriseId: self.enterprise_id ?? null,
    });
    if (verdict.kind === 'not_asked') return { kind: 'not_asked', id, name, why: verdict.why };
    return verdict.kind === 'eligible'
      ? { kind: 'eligible', id, name }
      : { kind: 'ineligible', id, name, why: reasons.get(verdict.code) ?? verdict.why };
  }

  async function group(id: string): Promise<Group> {
    if ((await session.self()) === null) {
      return { kind: 'not_asked', why: 'Slack does not take the bot token' };
    }
    const answer = await session.ask('usergroups.users.list', { usergroup: id });
    if (answer.kind === 'ok') return { kind: 'members', users: GroupUsers.parse(answer.body).users };
    if (answer.kind === 'unreachable') return { kind: 'not_asked', why: failureWords(answer) };
    switch (answer.code) {
      case 'plan_upgrade_required':
        return { kind: 'no_plan' };
      case 'no_such_subteam':
      case 'invalid_arguments':
        return { kind: 'unknown', why: failureWords(answer) };
      default:
        return { kind: 'not_asked', why: failureWords(answer) };
    }
  }

  return { person: memo(people, person), group: memo(groups, group) };
}
