import type { Redis } from 'ioredis';
import { z } from 'zod';
import { streamNames } from './stream-names.js';

/**
 * Whether a message is pending and the removal of its count are one change: in between, a worker could not claim it.
 * A field that is no message id is left alone, since nothing tells whose it is.
 */
const script = `
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local orphans, read, unreadable = {}, 0, 0
for i = 1, #found[2], 2 do
  local field = found[2][i]
  read = read + 1
  local pending = string.match(field, '^%d+%-%d+$') and redis.pcall('XPENDING', KEYS[2], ARGV[3], field, field, 1)
  if pending and pending.err and not string.find(pending.err, 'Invalid stream ID', 1, true) then return pending end
  if not pending or pending.err then
    unreadable = unreadable + 1
  elseif #pending == 0 then
    orphans[#orphans + 1] = field
    if ARGV[4] == 'remove' then redis.call('HDEL', KEYS[1], field) end
  end
end
return {found[1], read, unreadable, orphans}
`;

const Answer = z.tuple([z.string(), z.int(), z.int(), z.array(z.string())]);

export interface Reclaims {
  /** `0`: the hash has been looked through. */
  readonly cursor: string;
  readonly read: number;
  /** Fields that are no message id, which stay. */
  readonly unreadable: number;
  /** Messages that the group does not wait for; their fields are removed, unless it is a dry run. */
  readonly orphans: readonly string[];
}

/** Looks through a part of the hash of reclaim counts and removes those whose message is not pending. One call. */
export async function collectReclaims(
  redis: Redis,
  options: { readonly cursor: string; readonly page: number; readonly dryRun: boolean },
): Promise<Reclaims> {
  const [cursor, read, unreadable, orphans] = Answer.parse(
    await redis.eval(
      script,
      2,
      ...[streamNames.reclaimAttempts, streamNames.main],
      ...[options.cursor, options.page, streamNames.group, options.dryRun ? 'look' : 'remove'],
    ),
  );
  return { cursor, read, unreadable, orphans };
}
