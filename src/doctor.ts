import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRevisions } from './checks/revisions.js';
import { createProcesses } from './clients/process.js';
import { sqlParser } from './clients/sql/parser.js';
import type { Config, ConfigError, TargetConfig } from './config.js';
import { backendCheck } from './doctor/backend.js';
import { backupsCheck } from './doctor/backups.js';
import { channelChecks } from './doctor/channel.js';
import { configFileCheck } from './doctor/config-file.js';
import { type DatabaseLook, readDatabase } from './doctor/database-facts.js';
import { apartCheck, databaseCheck } from './doctor/databases.js';
import { type Check, type Finding, once, problem } from './doctor/finding.js';
import { gatesCheck } from './doctor/gates.js';
import { jobProgramsCheck } from './doctor/job-programs.js';
import { jobsChecks } from './doctor/jobs.js';
import { journalCheck } from './doctor/journal.js';
import { linterCheck } from './doctor/linter.js';
import { metricsCheck } from './doctor/metrics-page.js';
import { peopleChecks } from './doctor/people.js';
import { createPeopleLookup } from './doctor/people-lookup.js';
import { createAskPrograms, programsCheck } from './doctor/programs.js';
import { redisCheck } from './doctor/redis.js';
import { lineOf, summaryOf } from './doctor/report.js';
import { lookAtRunbook, type RunbookLook, runbookCheck } from './doctor/runbook.js';
import { slackChecks } from './doctor/slack.js';
import { createSlackSession } from './doctor/slack-session.js';
import { stateCheck } from './doctor/state.js';
import { supervisorCheck } from './doctor/supervisor.js';
import { runTogether } from './doctor/together.js';
import { loadRunbook } from './load-runbook.js';
import { createRedactor } from './redact.js';
import type { StepKind } from './runbook/step-kind.js';

export interface DoctorOptions {
  readonly config: Config;
  readonly kinds: ReadonlyMap<string, StepKind<TargetConfig>>;
  /** Gets each line of the report, redacted, without its line end. */
  readonly write: (line: string) => void;
  /** ms since the epoch; this machine's clock */
  readonly now?: () => number;
  /** Milliseconds for each check; 30,000 when not given. */
  readonly timeoutMs?: number;
}

/** What one call to Slack, with waiting for its rate limit, may take, ms. */
const slackTimeoutMs = 20_000;

/**
 * Looks at everything that a run will need, all at once, and reports each thing on one line. Nothing is
 * changed, on no target and not in Slack.
 * @returns whether the bot can do its work: there is no line marked ✗
 */
export async function runDoctor(options: DoctorOptions): Promise<boolean> {
  const { config, kinds, now = Date.now, timeoutMs = 30_000 } = options;
  const { redact } = createRedactor(config.secrets, config.shown);
  const directory = await mkdtemp(join(tmpdir(), 'm10bot-doctor-'));
  try {
    // SQL of the runbook's steps is read by PostgreSQL's parser, which has to be there before.
    await sqlParser();
    const checks = checksOf(config, kinds, { directory, redact, now });
    const findings = await runTogether(checks, timeoutMs);
    return report(findings, (line) => options.write(redact(line)), redact);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The report when there is no configuration to look at anything with. */
export function reportConfigProblems(
  problems: ConfigError['problems'],
  write: (line: string) => void,
): boolean {
  const todo = 'correct it; the other checks need a configuration that can be read';
  return report(
    problems.map((each) => problem('configuration', each, todo)),
    write,
    createRedactor([]).redact,
  );
}

function report(
  findings: readonly Finding[],
  write: (line: string) => void,
  redact: (text: string) => string,
): boolean {
  for (const finding of findings) write(lineOf(finding, redact));
  write(summaryOf(findings));
  return findings.every((finding) => finding.mark !== 'problem');
}

function checksOf(
  config: Config,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
  deps: { readonly directory: string; readonly redact: (text: string) => string; readonly now: () => number },
): Check[] {
  const { now } = deps;
  const processes = createProcesses({ directory: deps.directory, redact: deps.redact });
  const revisions = createRevisions({ processes, now });
  const session = createSlackSession(config, { timeoutMs: slackTimeoutMs, now });
  const lookup = createPeopleLookup(config, session);
  const seen: RunbookLook = lookAtRunbook(() => loadRunbook(config.runbook, kinds, config));
  const runbook = () => (seen.kind === 'loaded' ? seen.loaded.runbook : null);
  const ask = createAskPrograms(processes);
  const { databaseUrl } = config.state;
  const state = once(
    async (): Promise<DatabaseLook | null> => (databaseUrl === null ? null : readDatabase(databaseUrl, now)),
  );
  const targets = Object.values(config.targets).map((target) => ({
    target,
    name: target.name,
    look: once(async () => readDatabase(target.databaseUrl, now, await revisions.placeOf(target))),
  }));
  return [
    configFileCheck(config),
    ...slackChecks(config, session),
    ...channelChecks(config, session),
    ...peopleChecks(config, lookup),
    gatesCheck(config, runbook, lookup),
    stateCheck(config, state),
    journalCheck(config, state),
    ...targets.flatMap(({ target, look }) => [
      databaseCheck(target, look),
      ...(target.redisUrl === null ? [] : [redisCheck(target, target.redisUrl)]),
      backendCheck(target, processes),
      programsCheck(target, { ask, look, runbook }),
      ...(target.metricsUrl === null ? [] : [metricsCheck(target, target.metricsUrl, runbook)]),
    ]),
    apartCheck(targets, state),
    ...jobsChecks(config, processes),
    ...jobProgramsCheck(config),
    linterCheck(processes),
    supervisorCheck(processes),
    backupsCheck(config),
    runbookCheck(config, () => seen),
  ];
}
