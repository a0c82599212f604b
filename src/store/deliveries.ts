import { VersionConflict } from './errors.js';
import type { EventDraft } from './event.js';
import type { Write } from './journal.js';

/** The stream that says that a delivery had its effect. */
export function deliveryStream(delivery: string): string {
  return `delivery:${delivery}`;
}

/** The assertion, first in an append, that a delivery had no effect yet. */
export function firstTime(delivery: string | undefined): Write[] {
  if (delivery === undefined) return [];
  const events: EventDraft[] = [{ type: 'DeliveryHandled', data: { v: 1 } }];
  return [{ stream: deliveryStream(delivery), expectedVersion: 0, events }];
}

/** Whether an append failed because the delivery had its effect before. */
export function isRepeated(error: unknown, delivery: string | undefined): boolean {
  return (
    error instanceof VersionConflict && delivery !== undefined && error.stream === deliveryStream(delivery)
  );
}
