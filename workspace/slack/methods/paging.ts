import { SlackError } from '../errors.js';

/** Where a page starts; Slack's cursors are opaque base64. */
export function cursorOf(cursor: string | undefined): number {
  if (cursor === undefined || cursor === '') return 0;
  const match = /^from:(\d+)$/.exec(Buffer.from(cursor, 'base64').toString());
  if (match === null) throw new SlackError('invalid_cursor');
  return Number(match[1]);
}

/** One page of `all`, and the cursor of the next one; an empty cursor on the last page. */
export function page<T>(all: readonly T[], limit: number, from: number): { items: T[]; next: string } {
  const end = from + limit;
  const next = end < all.length ? Buffer.from(`from:${end}`).toString('base64') : '';
  return { items: all.slice(from, end), next };
}
