import pg from 'pg';
import { z } from 'zod';

/** Another writer was first: read the stream again and decide again. Nothing was written. */
export class VersionConflict extends Error {
  override readonly name = 'VersionConflict';
  constructor(
    readonly stream: string,
    readonly expected: number,
    readonly actual: number,
    options?: ErrorOptions,
  ) {
    super(`stream ${stream} is at version ${actual}, not ${expected}`, options);
  }
}

/** The lease that an append was made under has expired or belongs to another owner. Nothing was written. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
  constructor(
    readonly lease: string,
    readonly owner: string,
    readonly epoch: number,
    options?: ErrorOptions,
  ) {
    super(`lease ${lease} is no longer held by ${owner} at epoch ${epoch}`, options);
  }
}

/** The bot's own tables cannot be brought to this release; the message says what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** The state database cannot be used: not reached, not let in, or it broke while it was opened. */
export class StateUnavailable extends Error {
  override readonly name = 'StateUnavailable';
}

const ConflictDetail = z.object({ stream: z.string(), expected: z.int(), actual: z.int() });

/** The error codes that `m10bot.append` raises, as errors of the store; any other error as it is. */
export function appendError(
  error: unknown,
  fence: { lease: string; owner: string; epoch: number } | undefined,
) {
  if (!(error instanceof pg.DatabaseError)) return error;
  if (error.code === 'M1001' && error.detail !== undefined) {
    const { stream, expected, actual } = ConflictDetail.parse(JSON.parse(error.detail));
    return new VersionConflict(stream, expected, actual, { cause: error });
  }
  if (error.code === 'M1002' && fence !== undefined) {
    return new LeaseLost(fence.lease, fence.owner, fence.epoch, { cause: error });
  }
  return error;
}
