/**
 * Slack's errors by what they are about, and so by what helps against them.
 * Source: https://docs.slack.dev/reference/methods/chat.postMessage (errors), chat.update,
 * files.completeUploadExternal
 */
export type Trouble =
  /** Nothing goes, anywhere, until Slack works again or the token or scopes are put right. */
  | 'whole'
  /** This channel takes nothing now: it is archived, or the bot is not in it. Others do. */
  | 'channel'
  /** The thread is gone or closed; the channel is not. */
  | 'thread'
  /** The message that should be changed is gone or cannot be changed. */
  | 'message'
  /** Slack does not take the message in this form. */
  | 'form'
  /** A code that this version does not know. */
  | 'unknown';

const codes: Readonly<Record<Exclude<Trouble, 'unknown'>, readonly string[]>> = {
  whole: [
    'ratelimited',
    'rate_limited',
    'message_limit_exceeded',
    'internal_error',
    'fatal_error',
    'service_unavailable',
    'request_timeout',
    'team_added_to_org',
    'team_not_found',
    'accesslimited',
    'access_denied',
    'not_authed',
    'invalid_auth',
    'token_expired',
    'token_revoked',
    'account_inactive',
    'missing_scope',
    'no_permission',
    'not_allowed_token_type',
    'deprecated_endpoint',
    'method_deprecated',
    'enterprise_is_restricted',
    'org_login_required',
    'ekm_access_denied',
    'two_factor_setup_required',
  ],
  channel: [
    'channel_not_found',
    'not_in_channel',
    'is_archived',
    'is_inactive',
    'channel_is_limited_access',
    'method_not_supported_for_channel_type',
    'posting_to_channel_denied',
    'restricted_action',
    'restricted_action_read_only_channel',
    'restricted_action_thread_only_channel',
    'slack_connect_blocked',
  ],
  thread: [
    'thread_not_found',
    'invalid_thread_ts',
    'cannot_reply_to_message',
    'restricted_action_thread_locked',
    'restricted_action_non_threadable_channel',
  ],
  message: ['message_not_found', 'cant_update_message', 'edit_window_closed'],
  form: [
    'msg_too_long',
    'msg_blocks_too_long',
    'no_text',
    'invalid_blocks',
    'invalid_blocks_format',
    'invalid_attachments',
    'too_many_attachments',
    'attachment_payload_limit_exceeded',
    'markdown_text_conflict',
    'invalid_metadata_format',
    'invalid_metadata_schema',
    'metadata_too_large',
    'invalid_arguments',
    'invalid_arg_name',
    'invalid_array_arg',
    'invalid_charset',
    'invalid_form_data',
    'invalid_json',
    'json_not_object',
  ],
};

const troubles = new Map(
  (['whole', 'channel', 'thread', 'message', 'form'] as const).flatMap((trouble) =>
    codes[trouble].map((code): [string, Trouble] => [code, trouble]),
  ),
);

/** What an error code of Slack is about. */
export function troubleOf(code: string): Trouble {
  return troubles.get(code) ?? 'unknown';
}

/**
 * The same for files. `file`: this one is not taken, others are. `files`: none is taken now, though messages are:
 * files want a scope of their own, and a workspace can forbid them or be full.
 */
export function fileTroubleOf(code: string): 'whole' | 'channel' | 'thread' | 'file' | 'files' {
  if (badFile.has(code)) return 'file';
  const trouble = troubleOf(code);
  if (trouble === 'channel' || trouble === 'thread') return trouble;
  return trouble === 'whole' && !scopes.has(code) ? 'whole' : 'files';
}

const badFile = new Set([
  'file_upload_size_restricted',
  'file_type_not_allowed',
  'blocked_file_type',
  'invalid_arguments',
  'missing_argument',
]);

const scopes = new Set(['missing_scope', 'no_permission', 'not_allowed_token_type']);
