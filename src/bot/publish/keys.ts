import type { BlockRef } from '../../runbook/definition.js';
import { stepKey } from '../../runbook/state.js';

/** Keys under which messages are remembered; a gate's is `gateMessageKey`, which the core knows too. */

export const cardKey = (run: number) => `run:${run}:card`;
export const closedKey = (run: number) => `run:${run}:closed`;

export function stepMessageKey(run: number, at: { block: BlockRef; step: string; attempt: number }): string {
  return `run:${run}:step:${stepKey(at.block, at.step)}:${at.attempt}`;
}

export function promptKey(run: number, at: { block: BlockRef; step: string; attempt: number }): string {
  return `run:${run}:prompt:${stepKey(at.block, at.step)}:${at.attempt}`;
}

/** For what is told once: the event's own place. */
export function eventKey(stream: string, what: string, version: number): string {
  return `${stream}:${what}:${version}`;
}

/** Where it is recorded that a message could not be delivered at all. */
export const undeliveredKey = (key: string) => `undelivered:${key}`;

/**
 * What is noted in the place of a timestamp for a file outside of its thread, and for one that was posted as messages.
 * For any other it is the file's id: the message that shares it has a timestamp, but Slack does not tell it.
 */
export const FILE_TS = { channel: 'file', parts: 'parts' } as const;
