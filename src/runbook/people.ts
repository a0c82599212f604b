import type { NotAsked, Signs, Verdict } from './command.js';
import type { ReasonCode } from './refusal.js';
import type { Gate, OpenedRun } from './state.js';

/** What the policy needs to know about people; answered by Slack. */
export interface People {
  /**
   * Whether a person may approve, looked up now: who is on every one of these approver lists; on any list at
   * all when none is named.
   * Never throws: a look-up without an answer is `not_asked`, and a definite no comes before it.
   */
  verdict(user: string, lists: readonly string[]): Promise<Verdict>;
  /** Everyone on these lists, with user groups expanded and people who do not count left out, each with why. */
  roster(lists: readonly string[]): Promise<Roster>;
  /** Who reacted how on a request's message, read now. */
  signs(request: RequestRef): Promise<Signs>;
}

/** A request as its message is known by. */
export interface RequestRef {
  readonly run: number;
  readonly gate: number;
  /** ms since the epoch, by the journal's clock: no older message can be its own */
  readonly requestedAt: number;
}

/** Why somebody is no full, active member of our workspace; `lookup_failed`: Slack describes them incompletely. */
export type MemberCode = Extract<
  ReasonCode,
  'deactivated' | 'bot' | 'guest' | 'stranger' | 'other_workspace' | 'lookup_failed'
>;

/** What Slack says of a person. */
export type Member =
  | { readonly kind: 'member' }
  | { readonly kind: 'not_a_member'; readonly code: MemberCode; readonly why: string }
  | NotAsked;

export interface Roster {
  readonly eligible: readonly string[];
  readonly ineligible: readonly { readonly user: string; readonly why: string }[];
  /** What of the lists counts for nobody, such as a user group on a free plan. */
  readonly problems: readonly string[];
  /** Look-ups without an answer: there may be more people than are known. */
  readonly notAsked: readonly NotAsked[];
}

export function requestOf(state: Pick<OpenedRun, 'run'>, gate: Pick<Gate, 'id' | 'requestedAt'>): RequestRef {
  return { run: state.run, gate: gate.id, requestedAt: gate.requestedAt };
}

/** The key under which a gate's message is remembered. */
export function gateMessageKey(run: number, gate: number): string {
  return `run:${run}:gate:${gate}`;
}
