/** The closed list of reasons for which the bot says no. */
export const reasonCodes = [
  'unknown_command',
  'bad_arguments',
  'not_an_operator',
  'wrong_channel',
  'no_run',
  'unknown_run',
  'run_open',
  'target_busy',
  'run_closed',
  'run_stopped',
  'not_believed',
  'not_stopped',
  'step_running',
  'step_failed',
  'nothing_failed',
  'gate_open',
  'nothing_left',
  'unknown_step',
  'step_not_skippable',
  'unknown_operation',
  'already_stopped',
  'nothing_to_roll_back',
  'gate_closed',
  'gate_expired',
  'own_request',
  'not_listed',
  'guest',
  'stranger',
  'bot',
  'deactivated',
  'other_workspace',
  'shared_channel',
  'lookup_failed',
  'no_approver',
  'slack_unreachable',
  'stale',
  'too_early',
  'no_jobs',
  'unknown_job',
  'unknown_lock',
  'unknown_event',
  'unknown_message',
  'already_paused',
  'not_paused',
  'already_running',
  'not_running',
] as const;
export type ReasonCode = (typeof reasonCodes)[number];

/** A no: why, and what can be done instead. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: ReasonCode;
  readonly why: string;
  readonly instead: string;
}

export function refuse(code: ReasonCode, why: string, instead = ''): Refusal {
  return { kind: 'refused', code, why, instead };
}
