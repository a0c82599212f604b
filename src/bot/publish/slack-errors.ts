/**
 * Slack's errors by what helps against them.
 * Source: https://docs.slack.dev/reference/methods/chat.postMessage (errors), chat.update,
 * files.completeUploadExternal
 */

/** The place is gone or closed to the bot: the same message cannot be delivered there in any form. */
const place = new Set([
  'channel_not_found',
  'not_in_channel',
  'is_archived',
  'is_inactive',
  'thread_not_found',
  'invalid_thread_ts',
  'cannot_reply_to_message',
  'cant_update_message',
  'edit_window_closed',
  'restricted_action',
  'restricted_action_read_only_channel',
  'restricted_action_thread_locked',
  'restricted_action_thread_only_channel',
  'restricted_action_non_threadable_channel',
  'team_not_found',
]);

/** Nothing is wrong with the message: it goes once Slack works again, or the token or scopes are put right. */
const passing = new Set([
  'ratelimited',
  'rate_limited',
  'message_limit_exceeded',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
  'accesslimited',
  'not_authed',
  'invalid_auth',
  'token_expired',
  'token_revoked',
  'account_inactive',
  'missing_scope',
  'no_permission',
  'not_allowed_token_type',
  'org_login_required',
  'ekm_access_denied',
  'two_factor_setup_required',
]);

/** What to do about a code: wait, give up, or try the message in its plainest form. */
export function remedyFor(code: string): 'wait' | 'give-up' | 'plain' {
  if (passing.has(code)) return 'wait';
  return place.has(code) ? 'give-up' : 'plain';
}

/** The message to be updated does not exist any more. */
export function isGone(code: string): boolean {
  return code === 'message_not_found';
}
