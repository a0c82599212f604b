import { z } from 'zod';
import { type M10Result, withM10 } from '../checks/m10/session.js';
import { failed, passed, plural } from '../checks/outcome.js';
import { deleteReplaysBefore, replaysBefore } from '../clients/m10/replays-before.js';
import { readSessionsByName } from '../clients/postgres/activity.js';
import type { TargetConfig } from '../config.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../runbook/step-kind.js';
import { literal, refused, utc } from './m10/words.js';

const Args = z.strictObject({
  /** A moment, not an age: what is approved does not grow while people think about it. */
  before: z.iso.datetime('expected a moment such as 2026-01-10T02:00:00.000Z'),
});
type Args = z.infer<typeof Args>;

/** Rows of one statement: it must not hold up the workers that write to the log. */
const batch = 1_000;
const statementTimeoutMs = 60_000;

/** Deletes old entries of the replay log, in batches. */
export function replaysCleanup(): StepKind<TargetConfig> {
  return defineKind({
    name: 'replays.cleanup',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Delete the entries of the replay log of ${target.name} from before ${utc(moment(args))}, ${batch.toLocaleString('en')} at a time. Nothing younger is touched, however late this is approved.`,
      commands: [
        `DELETE FROM m10_recovery.replay_log WHERE id = ANY (ARRAY(SELECT id FROM m10_recovery.replay_log WHERE replayed_at < ${literal(args.before)} ORDER BY replayed_at LIMIT ${batch})); -- until none is left`,
      ],
    }),
    async survey(args, { target }) {
      const read = await withM10(
        target,
        { applicationName: 'm10bot:survey', statementTimeoutMs },
        (database) => replaysBefore(database, moment(args)),
      );
      if (read.kind === 'no') return { kind: 'failed', why: `${read.why} ${read.instead}` };
      const { count, oldestAt, newestAt, deletable } = read.value;
      if (!deletable) {
        return {
          kind: 'failed',
          why: `the bot's role on ${target.name} lacks DELETE on m10_recovery.replay_log; the owner of the table can GRANT it`,
        };
      }
      const span =
        oldestAt === null || newestAt === null ? '' : `, from ${utc(oldestAt)} to ${utc(newestAt)}`;
      return {
        kind: 'surveyed',
        parts: { entries: String(count), before: args.before },
        sql: [],
        warnings: [
          `${plural(count, 'entry', 'entries')} will go${span}. A message whose entry is gone is no longer known to have been replayed.`,
        ],
      };
    },
    run: cleanUp,
    probe: whatBecame,
  });
}

const moment = (args: Args) => Date.parse(args.before);

async function cleanUp(args: Args, context: StepContext<TargetConfig>): Promise<Outcome> {
  const { target, applicationName, signal } = context;
  let deleted = 0;
  const done: M10Result<'all' | 'stopped'> = await withM10(
    target,
    { applicationName, statementTimeoutMs },
    async (database) => {
      for (;;) {
        if (signal.aborted) return 'stopped';
        const count = await deleteReplaysBefore(database, moment(args), batch);
        deleted += count;
        if (count < batch) return 'all';
      }
    },
  );
  const told = `${plural(deleted, 'entry', 'entries')} of the replay log of ${target.name} from before ${utc(moment(args))}`;
  if (done.kind === 'no') {
    const outcome = refused(`the clean-up of the replay log of ${target.name}`, done);
    return deleted === 0 ? outcome : { ...outcome, summary: `${outcome.summary}; ${told} had been deleted` };
  }
  const data = { deleted };
  return done.value === 'all'
    ? passed(`deleted ${told}`, { data })
    : failed(`stopped before the end: deleted ${told}; the others are still there`, { data });
}

async function whatBecame(args: Args, context: StepContext<TargetConfig>): Promise<Probe> {
  const { target, applicationName } = context;
  const options = { applicationName: 'm10bot:probe', statementTimeoutMs };
  const read = await withM10(target, options, async (database) => ({
    sessions: await readSessionsByName(database, applicationName),
    left: await replaysBefore(database, moment(args)),
  }));
  if (read.kind === 'no') return { kind: 'unknown', evidence: read.why };
  const { sessions, left } = read.value;
  const session = sessions.find((s) => s.applicationName === applicationName);
  if (session !== undefined)
    return { kind: 'running', evidence: `its session ${session.pid} is still there` };
  // What is left of the same approved entries is safe to go on with.
  if (left.count > 0) {
    return { kind: 'not_done', evidence: `${plural(left.count, 'entry', 'entries')} of them are left` };
  }
  return {
    kind: 'done',
    outcome: passed(
      `the replay log of ${target.name} has no entry from before ${utc(moment(args))} any more`,
    ),
  };
}
