import type pg from 'pg';
import { z } from 'zod';
import type { JobHealth } from '../runbook/jobs/alarms.js';
import { JobOutcome } from '../runbook/jobs/events.js';
import { isJobName, type JobName, jobNames } from '../runbook/jobs/names.js';
import type { JobReport, JobRunRecord } from '../runbook/jobs/port.js';

export interface JobRunStart {
  readonly job: JobName;
  /** The moment of its schedule, ms since the epoch; null when it is started otherwise. */
  readonly tick: number | null;
  readonly trigger: JobRunRecord['trigger'];
  /** Slack user id; null for the schedule. */
  readonly by: string | null;
  readonly dryRun: boolean;
  readonly owner: string;
}

export interface JobRuns {
  /** Notes that a run begins. Answers null when the tick is taken: another replica runs it, or has run it. */
  begin(start: JobRunStart): Promise<number | null>;
  /** Notes how it ended. False when it is not running any more, and nothing is changed. */
  finish(id: number, report: JobReport): Promise<boolean>;
  /**
   * Ends older runs of a job that nobody finished, as lost: whoever holds the job's lock knows that they are dead.
   * @param olderThanMs leaves alone what began less long ago: it may be about to ask for the lock
   * @returns how many there were
   */
  abandon(job: JobName, before: number, olderThanMs?: number): Promise<number>;
  /** Runs of a job, newest first. */
  log(job: JobName, limit: number): Promise<JobRunRecord[]>;
  /** The newest run of each job, one that is still running among them. */
  last(): Promise<ReadonlyMap<JobName, JobRunRecord>>;
  failuresInRow(job: JobName): Promise<number>;
  /** When each job last passed, ms since the epoch; a job that never did is absent. */
  lastSuccess(): Promise<ReadonlyMap<JobName, number>>;
  health(): Promise<Readonly<Record<JobName, JobHealth>>>;
  /** Deletes runs that began longer ago than this, ms, but never a job's newest. @returns how many */
  prune(olderThanMs: number): Promise<number>;
}

interface Row {
  readonly id: string;
  readonly job: string;
  readonly tick: Date | null;
  readonly trigger: JobRunRecord['trigger'];
  readonly by: string | null;
  readonly dry_run: boolean;
  readonly owner: string;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly outcome: string;
  readonly summary: string;
  readonly output: string;
  readonly advice: string;
  readonly counts: unknown;
}

const COLUMNS = `run.id, run.job, run.tick, run.trigger, run.by, run.dry_run, run.owner, run.started_at,
  run.finished_at, run.outcome, run.summary, run.output, run.advice, run.counts`;

/** Longest output kept of one run, in characters: there are thousands of runs. */
const LONGEST_OUTPUT = 20_000;

/** The runs of one target's jobs. All times are the state database's. */
export function createJobRuns(pool: pg.Pool, target: string): JobRuns {
  async function select(rest: string, values: unknown[]): Promise<JobRunRecord[]> {
    const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} ${rest}`, [target, ...values]);
    return rows.flatMap(fromRow);
  }

  /** One row for each job: the newest of its runs that meet a condition. */
  const newest = async (condition: string) => {
    const found = await select(
      `FROM unnest($2::text[]) AS name
       CROSS JOIN LATERAL (SELECT * FROM m10bot.job_runs
         WHERE target = $1 AND job = name AND ${condition} ORDER BY id DESC LIMIT 1) AS run`,
      [jobNames],
    );
    return new Map(found.map((run) => [run.job, run]));
  };

  async function failures(): Promise<Map<string, number>> {
    const { rows } = await pool.query<{ job: string; failures: number }>(
      `SELECT name AS job, count(run.id)::int AS failures
         FROM unnest($2::text[]) AS name
         LEFT JOIN m10bot.job_runs AS run ON run.target = $1 AND run.job = name
           AND run.outcome IN ('failed', 'lost') AND NOT run.dry_run
           AND run.id > coalesce((SELECT passed.id FROM m10bot.job_runs AS passed
             WHERE passed.target = $1 AND passed.job = name AND passed.outcome = 'passed' AND NOT passed.dry_run
             ORDER BY passed.id DESC LIMIT 1), 0)
        GROUP BY name`,
      [target, jobNames],
    );
    return new Map(rows.map((row) => [row.job, row.failures]));
  }

  const newestPassed = () => newest(`outcome = 'passed' AND NOT dry_run`);

  return {
    async begin(start) {
      const { rows } = await pool.query<{ id: string }>(
        `INSERT INTO m10bot.job_runs
           (target, job, tick, trigger, by, dry_run, owner, started_at, outcome, summary, output, advice, counts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, now(), 'running', '', '', '', '{}')
         ON CONFLICT (target, job, tick) WHERE tick IS NOT NULL DO NOTHING
         RETURNING id`,
        [
          target,
          start.job,
          start.tick === null ? null : new Date(start.tick),
          start.trigger,
          start.by,
          start.dryRun,
          start.owner,
        ],
      );
      const id = rows[0]?.id;
      return id === undefined ? null : Number(id);
    },

    async finish(id, report) {
      // The duration is the run's own: a report that could only be written later must not lengthen the run.
      const { rowCount } = await pool.query(
        `UPDATE m10bot.job_runs
            SET outcome = $3, summary = $4, output = $5, advice = $6, counts = $7,
                finished_at = started_at + $8 * interval '1 ms'
          WHERE id = $2 AND target = $1 AND outcome = 'running'`,
        [
          target,
          id,
          report.outcome,
          stored(report.summary),
          stored(cut(report.output)),
          stored(report.advice),
          JSON.stringify(report.counts),
          Math.round(report.durationMs),
        ],
      );
      return rowCount === 1;
    },

    async abandon(job, before, olderThanMs = 0) {
      const { rowCount } = await pool.query(
        `UPDATE m10bot.job_runs
            SET outcome = 'lost', finished_at = now(), summary = $4
          WHERE target = $1 AND job = $2 AND id < $3 AND outcome = 'running'
            AND started_at <= now() - $5 * interval '1 ms'`,
        [target, job, before, 'The replica that ran it ended in the middle.', olderThanMs],
      );
      return rowCount ?? 0;
    },

    log: (job, limit) =>
      select('FROM m10bot.job_runs AS run WHERE target = $1 AND job = $2 ORDER BY id DESC LIMIT $3', [
        job,
        limit,
      ]),
    last: () => newest('true'),
    failuresInRow: async (job) => (await failures()).get(job) ?? 0,

    async lastSuccess() {
      const passed = await newestPassed();
      return new Map([...passed].map(([job, run]) => [job, run.finishedAt ?? run.startedAt]));
    },

    async health() {
      const [counted, newestRun, last, trouble, ran, passed] = await Promise.all([
        failures(),
        newest('NOT dry_run'),
        newest(`outcome <> 'running' AND NOT dry_run`),
        newest(`outcome IN ('failed', 'lost') AND NOT dry_run`),
        newest(`outcome IN ('passed', 'failed', 'lost') AND NOT dry_run`),
        newestPassed(),
      ]);
      const of = (job: JobName): JobHealth => {
        const newestOf = newestRun.get(job);
        return {
          failures: counted.get(job) ?? 0,
          last: last.get(job) ?? null,
          trouble: trouble.get(job) ?? null,
          ranAt: ran.get(job)?.finishedAt ?? null,
          passedAt: passed.get(job)?.finishedAt ?? null,
          runningSince: newestOf?.outcome === 'running' ? newestOf.startedAt : null,
        };
      };
      return {
        'outbox-processor': of('outbox-processor'),
        'dl-reconcile': of('dl-reconcile'),
        'matview-refresh': of('matview-refresh'),
        'retention-cleanup': of('retention-cleanup'),
        'reclaim-gc': of('reclaim-gc'),
      };
    },

    async prune(olderThanMs) {
      const { rowCount } = await pool.query(
        `DELETE FROM m10bot.job_runs AS run
          WHERE run.target = $1 AND run.started_at < now() - $2 * interval '1 ms'
            AND run.id < (SELECT max(newer.id) FROM m10bot.job_runs AS newer
              WHERE newer.target = $1 AND newer.job = run.job)`,
        [target, olderThanMs],
      );
      return rowCount ?? 0;
    },
  };
}

const Counts = z.record(z.string(), z.number());
const Outcome = z.union([JobOutcome, z.literal('running')]);

/** Runs of a job that this release does not know are passed over. */
function fromRow(row: Row): JobRunRecord[] {
  if (!isJobName(row.job)) return [];
  const startedAt = row.started_at.getTime();
  const finishedAt = row.finished_at?.getTime() ?? null;
  return [
    {
      id: Number(row.id),
      job: row.job,
      tick: row.tick?.getTime() ?? null,
      trigger: row.trigger,
      by: row.by,
      dryRun: row.dry_run,
      owner: row.owner,
      startedAt,
      finishedAt,
      outcome: Outcome.parse(row.outcome),
      durationMs: finishedAt === null ? null : finishedAt - startedAt,
      summary: row.summary,
      output: row.output,
      advice: row.advice,
      counts: Counts.parse(row.counts),
    },
  ];
}

/** PostgreSQL has no NUL in its text. */
const stored = (text: string) => text.replaceAll('\0', '\uFFFD');

function cut(output: string): string {
  if (output.length <= LONGEST_OUTPUT) return output;
  return `${output.slice(0, LONGEST_OUTPUT)}\n… cut: ${output.length - LONGEST_OUTPUT} more characters`;
}
