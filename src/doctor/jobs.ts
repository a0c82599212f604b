import { connect } from '../clients/postgres.js';
import type { Processes } from '../clients/process.js';
import type { Config } from '../config.js';
import { builtInJobs } from '../main/jobs.js';
import { missingNeeds } from '../scheduler/needs.js';
import { noObserver } from '../scheduler/observe.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

/** The periodic jobs: whether what each needs of its target is there, and its role may use it. */
export function jobsChecks(
  config: Pick<Config, 'jobs' | 'targets' | 'slack'>,
  processes: Processes,
): Check[] {
  const { jobs } = config;
  const target = jobs === null ? undefined : config.targets[jobs.target];
  if (jobs === null || target === undefined) return [];
  const what = `jobs on ${target.name}`;
  const all = builtInJobs(jobs, config.slack.channel, {
    processes,
    notice: async () => undefined,
    redact: (text) => text,
    observer: noObserver,
  });

  async function run(): Promise<readonly Finding[]> {
    const connection = await connect({
      url: target?.databaseUrl ?? '',
      applicationName: 'm10bot-doctor',
      statementTimeoutMs: 10_000,
      lockTimeoutMs: 3_000,
      connectTimeoutMs: 8_000,
    });
    // That the database cannot be reached is told by the check of the database.
    if (connection.kind !== 'connected')
      return [attention(what, 'not looked at: the database cannot be reached')];
    try {
      const waits = await missingNeeds(
        connection.database,
        all.map((job) => job.needs),
      );
      return findingsOf(what, [...new Set(waits.flat())], all.length);
    } finally {
      await connection.database.close();
    }
  }
  return [{ what, run }];
}

function findingsOf(what: string, lines: readonly string[], jobs: number): Finding[] {
  if (lines.length === 0)
    return [fine(what, `all that the ${jobs} jobs need is there, and their role may use it`)];
  const rights = lines.filter((line) => line.includes('(GRANT '));
  const absent = lines.filter((line) => !line.includes('(GRANT '));
  return [
    ...rights.map((line) => problem(what, line, 'grant it, or the jobs that need it do not start')),
    // Before the migration that is as it should be.
    ...(absent.length === 0
      ? []
      : [
          fine(
            what,
            `wait for ${absent.length} things of the schema, which come with the migration: ${absent[0]} …`,
          ),
        ]),
  ];
}
