import { randomUUID } from 'node:crypto';

/**
 * An id for a program that only reads, below the id of the operation it belongs to: it may run as often as one
 * likes, also again after a crash, and an id is never used twice.
 */
export function readingId(operation: string, name: string): string {
  return `${operation}/${name}-${randomUUID().slice(0, 8)}`;
}

/** What an ended or never started program has to say for itself: the end of stderr, or else of stdout. */
export function lastWords(result: {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly reason?: string;
}): string {
  if (result.reason !== undefined) return result.reason;
  const text = (result.stderr ?? '').trim() || (result.stdout ?? '').trim();
  return text.split('\n').slice(-10).join('\n');
}
