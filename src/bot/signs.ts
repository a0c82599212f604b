import type { Sign } from '../runbook/command.js';

/**
 * What each emoji means on a request for approval. Slack sends names; `thumbsup` and `+1` are one emoji, and
 * a skin tone is a suffix (`+1::skin-tone-2`).
 */
const meanings: Readonly<Record<string, Sign>> = {
  white_check_mark: 'approve',
  heavy_check_mark: 'approve',
  '+1': 'approve',
  thumbsup: 'approve',
  x: 'refuse',
  no_entry: 'refuse',
  no_entry_sign: 'refuse',
  '-1': 'refuse',
  thumbsdown: 'refuse',
  octagonal_sign: 'stop',
  stop_sign: 'stop',
};

/** The meaning of an emoji; null for the many that mean nothing here. */
export function signOf(emoji: string): Sign | null {
  const bare = emoji.split('::')[0] ?? '';
  return Object.hasOwn(meanings, bare) ? (meanings[bare] ?? null) : null;
}
