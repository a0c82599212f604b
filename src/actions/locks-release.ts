import { z } from 'zod';
import { withM10 } from '../checks/m10/session.js';
import { failed, passed, spoken } from '../checks/outcome.js';
import { listLocks, type M10Lock, releaseForeign } from '../clients/m10/locks.js';
import { readSessionsByName } from '../clients/postgres/activity.js';
import type { TargetConfig } from '../config.js';
import { jobOfLock, lastHeartbeat } from '../runbook/jobs/lock-names.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../runbook/step-kind.js';
import { literal, refused, utc } from './m10/words.js';

const Args = z.strictObject({
  lock: z.string('expected the name of a lock').min(1).max(255),
  /** Who is seen to have it; from anybody else it is not taken. */
  holder: z.string('expected the holder of the lock').min(1).max(255),
  /** When that holder took it, to the millisecond: the same holder may have given it back and taken it anew. */
  'acquired-at': z.iso.datetime('expected a moment such as 2026-01-10T02:00:00.000Z'),
});
type Args = z.infer<typeof Args>;

/** Takes a lock of `m10_recovery.distributed_locks` away from a holder that cannot give it back. */
export function locksRelease(): StepKind<TargetConfig> {
  return defineKind({
    name: 'locks.release',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Take the lock ${args.lock} of ${target.name} away from ${args.holder}, who took it at ${utc(acquired(args))}. Whoever asks next gets it. Its holder is not ended: one that is still at work does it beside the next one.`,
      commands: [
        `DELETE FROM m10_recovery.distributed_locks WHERE lock_name = ${literal(args.lock)} AND holder_id = ${literal(args.holder)} AND date_trunc('milliseconds', acquired_at) = ${literal(args['acquired-at'])};`,
      ],
    }),
    async survey(args, { target }) {
      const read = await withM10(target, { applicationName: 'm10bot:survey' }, (database) =>
        listLocks(database, args.lock),
      );
      if (read.kind === 'no') return { kind: 'failed', why: `${read.why} ${read.instead}` };
      const lock = read.value[0];
      return {
        kind: 'surveyed',
        // Not its expiry: that moves with each sign of life of the same holder.
        parts: {
          holder: lock?.holder ?? 'nobody',
          'held since': lock === undefined ? 'not held' : new Date(lock.acquiredAt).toISOString(),
        },
        sql: [],
        // One text: several would be sorted.
        warnings: [lock === undefined ? 'The lock is free by now.' : sayHolder(args, lock).join(' ')],
      };
    },
    run: release,
    probe: whatBecame,
  });
}

const acquired = (args: Args) => Date.parse(args['acquired-at']);

const isAsApproved = (args: Args, lock: M10Lock) =>
  lock.holder === args.holder && lock.acquiredAt === acquired(args);

/** What an approver must know of the holder, most telling first. */
function sayHolder(args: Args, lock: M10Lock): string[] {
  const known = jobOfLock(lock.name);
  const heartbeat = lastHeartbeat(lock);
  const lines = isAsApproved(args, lock)
    ? [`${lock.holder} has held it for ${spoken(lock.ageMs)}, since ${utc(lock.acquiredAt)}.`]
    : [
        `It changed hands since it was asked for: ${lock.holder} holds it since ${utc(lock.acquiredAt)}. An approval would take nothing.`,
      ];
  if (lock.stale) {
    lines.push(`It expired ${spoken(-lock.leftMs)} ago: whoever asks next gets it anyway.`);
  } else if (heartbeat !== null && known !== null) {
    // Both times are the database's own, and so is the time left.
    const silent = known.ttlSeconds * 1_000 - lock.leftMs;
    lines.push(
      `Last heartbeat ${spoken(Math.max(0, silent))} ago, at ${utc(heartbeat)}. Without another one it expires by itself in ${spoken(lock.leftMs)}.`,
    );
  } else {
    lines.push(
      `It expires by itself in ${spoken(lock.leftMs)}, unless its holder extends it. When that happened last is not known.`,
    );
  }
  lines.push(
    known === null
      ? 'It is the lock of none of the jobs.'
      : `It is the lock of ${known.job}: a holder that lives stops at its next batch at the earliest.`,
  );
  return lines;
}

async function release(args: Args, { target, applicationName }: StepContext<TargetConfig>): Promise<Outcome> {
  const what = `${args.lock} of ${target.name} was taken from ${args.holder}`;
  const done = await withM10(target, { applicationName }, (database) =>
    releaseForeign(database, args.lock, args.holder, acquired(args)),
  );
  if (done.kind === 'no') return refused(what, done);
  if (done.value.kind === 'released') {
    return passed(
      `${what}, who had held it for ${spoken(Math.max(0, Date.now() - acquired(args)))}; it is free now`,
    );
  }
  const { now } = done.value;
  if (now === null)
    return passed(`${args.lock} of ${target.name} is free: ${args.holder} had given it back before`);
  return failed(
    `nothing was released: ${args.lock} of ${target.name} is held by ${now.holder} since ${utc(now.acquiredAt)} by now`,
  );
}

async function whatBecame(
  args: Args,
  { target, applicationName }: StepContext<TargetConfig>,
): Promise<Probe> {
  const read = await withM10(target, { applicationName: 'm10bot:probe' }, async (database) => ({
    sessions: await readSessionsByName(database, applicationName),
    lock: (await listLocks(database, args.lock))[0],
  }));
  if (read.kind === 'no') return { kind: 'unknown', evidence: read.why };
  const { sessions, lock } = read.value;
  const session = sessions.find((s) => s.applicationName === applicationName);
  if (session !== undefined)
    return { kind: 'running', evidence: `its session ${session.pid} is still there` };
  if (lock !== undefined && isAsApproved(args, lock)) {
    return { kind: 'not_done', evidence: `${args.holder} holds the lock as before` };
  }
  const now = lock === undefined ? 'is free' : `is held by ${lock.holder} since ${utc(lock.acquiredAt)}`;
  return {
    kind: 'done',
    outcome: passed(`${args.holder} does not hold ${args.lock} of ${target.name} any more: it ${now}`),
  };
}
