import type { RunEvent } from '../events.js';
import type { Refusal } from '../refusal.js';

export type Decision = { readonly kind: 'accepted'; readonly events: readonly RunEvent[] } | Refusal;

export function accept(...events: RunEvent[]): Decision {
  return { kind: 'accepted', events };
}
