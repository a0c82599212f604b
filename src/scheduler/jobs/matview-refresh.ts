import { readView, refreshCall, refreshView, type ViewFacts } from '../../clients/m10/matview.js';
import type { JobsConfig } from '../../config-jobs.js';
import { type Job, JobFailure, type JobResult } from '../job.js';
import { explained } from '../streams/failure.js';

/**
 * Refreshes a materialized view through the target's own function, which keeps the log of refreshes. The function
 * catches its error and returns it: only its answer tells.
 */
export function createMatviewRefresh(config: Pick<JobsConfig['matview-refresh'], 'view'>): Job {
  const { view } = config;
  return {
    name: 'matview-refresh',
    lock: `m10:matview:${view}`,
    ttlSeconds: 300,
    needs: {
      tables: { matview_freshness: ['view_name', 'last_refresh', 'age_seconds'] },
      calls: { refresh_mv_tracked: refreshCall },
      privileges: {},
    },
    async run({ database, dryRun }): Promise<JobResult> {
      return explained(
        `The refresh of ${view}`,
        () => ({}),
        async () => {
          const before = await readView(database, view);
          const problem = whatIsWrong(view, before);
          if (dryRun) {
            const state = problem === null ? 'It can be refreshed.' : `${problem.what} ${problem.advice}`;
            const summary = `Would refresh ${view}, which is ${ageOf(before)}.`;
            return { summary, counts: ages(before), output: state };
          }
          const done = await refreshView(database, view);
          if (!done.success) {
            throw new JobFailure(
              `${view} was not refreshed: ${done.error ?? 'the function gave no reason'}`,
              {
                advice:
                  problem === null ? adviceFor(view, done.error ?? '') : `${problem.what} ${problem.advice}`,
                counts: { durationMs: done.durationMs, ...ages(before) },
                output: `It is ${ageOf(before)}.`,
              },
            );
          }
          const after = await readView(database, view);
          return {
            summary: `Refreshed ${view} in ${done.durationMs.toLocaleString('en')} ms; it was ${ageOf(before)}, and is ${ageOf(after)}.`,
            counts: { durationMs: done.durationMs, ...ages(before), ...prefixed(after) },
          };
        },
      );
    },
  };
}

function ages(before: ViewFacts): Record<string, number> {
  return before.ageSeconds === null ? {} : { ageBeforeSeconds: Math.round(before.ageSeconds) };
}

function prefixed(after: ViewFacts): Record<string, number> {
  return after.ageSeconds === null ? {} : { ageAfterSeconds: Math.round(after.ageSeconds) };
}

function ageOf({ ageSeconds }: ViewFacts): string {
  if (ageSeconds === null) return 'without a refresh in the log';
  if (ageSeconds < 120) return `${Math.round(ageSeconds)} s old`;
  return ageSeconds < 7_200
    ? `${Math.round(ageSeconds / 60)} min old`
    : `${Math.round(ageSeconds / 3_600)} h old`;
}

/** What in the catalog keeps a view from being refreshed concurrently. */
function whatIsWrong(view: string, facts: ViewFacts): { what: string; advice: string } | null {
  const name = `m10_recovery.${view}`;
  if (facts.kind === null) {
    return { what: `There is no ${name}.`, advice: 'Correct `view` of matview-refresh, or create it.' };
  }
  if (facts.kind !== 'm') {
    return { what: `${name} is no materialized view.`, advice: 'Correct `view` of matview-refresh.' };
  }
  if (!facts.populated) {
    return {
      what: `${name} was created without data, and a refresh beside its readers needs some.`,
      advice: `Run REFRESH MATERIALIZED VIEW ${name} once; nobody reads it meanwhile, for there is nothing to read.`,
    };
  }
  if (!facts.uniqueIndex) {
    return {
      what: `${name} has no valid unique index over plain columns and all rows, which a refresh beside its readers needs.`,
      advice: `Create one with CREATE UNIQUE INDEX on ${name}.`,
    };
  }
  if (!facts.owner) {
    return {
      what: `The role of \`database-url\` does not own ${name}.`,
      advice: 'Only the owner may refresh it, unless the function runs with the rights of its owner.',
    };
  }
  return null;
}

function adviceFor(view: string, error: string): string {
  if (/lock timeout|canceling statement due to lock/.test(error)) {
    return 'Somebody else holds a lock on it; the next run tries again.';
  }
  return `Readers keep seeing the old rows. Run SELECT * FROM m10_recovery.refresh_mv_tracked('${view}') by hand to look into it.`;
}
