import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createEndAttempt } from './actions/end-attempt.js';
import { createActions } from './actions/index.js';
import { createSlackAccess } from './bot/access.js';
import { createBotApp } from './bot/app.js';
import { createPublisher } from './bot/publish.js';
import { createChecks } from './checks/index.js';
import { createLossCounter } from './checks/loss.js';
import { createPlans } from './checks/plan/plans.js';
import { createRevisions } from './checks/revisions.js';
import { createTargetReader } from './checks/target-state.js';
import { createProcesses } from './clients/process.js';
import { createSlack } from './clients/slack.js';
import { sqlParser } from './clients/sql/parser.js';
import type { Config } from './config.js';
import { loadRunbook } from './load-runbook.js';
import { assertStateIsApart } from './main/apart.js';
import { createEnding } from './main/ending.js';
import { createJobs } from './main/jobs.js';
import { startMetrics } from './main/metrics.js';
import { createOutputs } from './main/output.js';
import { openState } from './main/state.js';
import { createRedactor } from './redact.js';
import type { Runbook } from './runbook/definition.js';
import type { Plan } from './runbook/events.js';
import { createAdvance } from './runner/advance.js';
import { createAssessor } from './runner/assess.js';
import { createGates } from './runner/gates.js';
import { createPlanner } from './runner/plan.js';
import { createRunner } from './runner/runner.js';
import { createSteps } from './runner/steps.js';
import { createCursors } from './store/cursors.js';
import { LeaseLost } from './store/errors.js';
import { createHeld, readUndelivered } from './store/held.js';
import { createInbox } from './store/inbox.js';
import { createJournal } from './store/journal.js';
import { createLeases } from './store/leases.js';
import { createListener } from './store/notify.js';
import { createPosted } from './store/posted.js';
import { createRuns } from './store/runs.js';
import { nextRunNumber } from './store/sequences.js';
import { targetNames } from './store/target-names.js';

export interface Bot {
  /** Takes on nothing more, gives what is running some time, then leaves it alone. */
  stop(): Promise<void>;
}

/** How long a shutdown waits for a running step before it leaves it to the probe, ms. */
const stopGraceMs = 20_000;
/** Deliveries that were handled longer ago are forgotten: Slack redelivers within hours, ms. */
const keepHandledMs = 7 * 24 * 3_600_000;
const pruneEveryMs = 3_600_000;
/** Longest wait of the publisher for one answer of Slack, ms. */
const publishTimeoutMs = 15_000;

/**
 * The composition root: builds every part from the configuration and starts it.
 * @throws ConfigError, RunbookError, MigrationError before anything takes effect
 */
export async function startBot(options: { readonly config: Config; readonly log: Logger }): Promise<Bot> {
  const { config, log } = options;
  const now = Date.now;
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const { redact } = createRedactor(config.secrets, config.shown);
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const ending = createEnding(log);

  try {
    const targets = Object.values(config.targets);
    const state = await openState(
      config,
      (error) => log.warn({ error }, 'a database connection broke'),
      (pool) => assertStateIsApart(pool, targets),
    );
    ending.holds(state.close);
    const { pool } = state;

    const journal = createJournal(pool);
    const posted = createPosted(pool);
    const held = createHeld(pool);
    const leases = createLeases(pool);
    const runs = createRuns({ journal, now });
    const names = await targetNames(journal, Object.keys(config.targets));
    const outputs = createOutputs(config.state.directory);
    const processes = createProcesses({
      directory: join(config.state.directory, 'children'),
      redact,
      leaves: (reason) => reason instanceof LeaseLost,
    });
    ending.holds(processes.release);
    const slack = createSlackAccess({ config, posted, log, now });

    let connected = () => false;
    const metrics = await startMetrics({
      config,
      pool,
      journal,
      connected: () => connected(),
      redact,
      log,
      now,
    });
    ending.holds(metrics.close);

    const workDirectory = join(config.state.directory, 'work');
    const jobs = createJobs({
      config,
      pool,
      journal,
      leases,
      commands: { processes, workDirectory },
      owner,
      redact,
      observer: metrics.observe,
      log,
      now,
    });
    const revisions = createRevisions({ processes, now });
    const deps = { processes, people: slack.people, revisions, config, jobs: jobs.port, now, workDirectory };
    // One cache of plans for both: the SQL of a revision is a function of the code alone.
    const plans = createPlans(deps);
    const kinds = new Map(
      [...createChecks(deps, plans), ...createActions(deps, plans)].map((kind) => [kind.name, kind]),
    );
    const changing = [...kinds.values()].filter((kind) => kind.changes).map((kind) => kind.name);
    const load = () => loadRunbook(config.runbook, kinds, config);
    // The SQL of the runbook is judged by PostgreSQL's parser while it is read.
    await sqlParser();
    load();

    const reader = createTargetReader(revisions);
    const planner = createPlanner({ config, kinds, targets: reader, digest, redact });
    const loss = createLossCounter({ config });
    const assessor = createAssessor({
      config,
      targets: reader,
      loss,
      redact,
    });
    const endAttempt = createEndAttempt({ processes });
    const steps = createSteps({
      config,
      planner,
      digest,
      redact,
      keepOutput: outputs.keep,
      endAttempt,
      now,
      log,
    });
    const gates = createGates({ config, planner, people: slack.people, loss });
    const advance = createAdvance({ runs, gates, steps, assessor, now, log });
    const runner = createRunner({
      runs,
      leases,
      advance,
      targets: names,
      owner,
      log,
    });

    const publisher = createPublisher({
      journal,
      posted,
      cursors: createCursors(pool),
      held,
      leases,
      slack: metrics.countPosts(
        createSlack({
          token: config.slack.botToken,
          apiUrl: config.slack.apiUrl,
          timeoutMs: publishTimeoutMs,
        }),
      ),
      incidentChannel: config.slack.channel,
      redact,
      log,
      owner,
      readOutput: outputs.read,
    });
    publisher.start();
    ending.holds(publisher.close);

    const inbox = createInbox(pool);
    const pruning = setInterval(() => {
      inbox
        .prune(keepHandledMs)
        .catch((error: unknown) => log.warn({ error }, 'old deliveries stay for now'));
    }, pruneEveryMs);
    ending.holds(() => clearInterval(pruning));

    const app = createBotApp({
      config,
      slack,
      inbox,
      posted,
      journal,
      runs,
      owner,
      log,
      now,
      targets: names,
      undelivered: () => readUndelivered(pool),
      nextRunNumber: () => nextRunNumber(pool),
      loadRunbook: async () => load(),
      changing,
      planOf: (runbook) => planOf(runbook),
      targetStates: () => Promise.all(targets.map((target) => reader.state(target))),
      jobs: { jobs: jobs.port, jobsJournal: jobs.jobsJournal, m10: jobs.m10 },
      ready: async () => (await pool.query('SELECT 1')).rowCount === 1,
    });

    connected = app.connected;

    async function planOf(runbook: Runbook): Promise<Plan> {
      const all = runbook.phases.flatMap((block) => block.steps.map((step) => ({ block, step })));
      const planned = await planner.plan(runbook, load().digest, all);
      if (planned.kind === 'failed') throw new Error(`The plan cannot be made: ${planned.why}`);
      return planned.plan;
    }

    runner.start();
    ending.works(() => runner.stop(stopGraceMs));
    jobs.start();
    ending.works(() => jobs.stop(stopGraceMs));
    const listener = createListener({
      url: state.url,
      onPosition: () => {
        runner.wake();
        publisher.wake();
        jobs.wake();
      },
      onError: (error) => log.warn({ error }, 'not listening to the journal; looking by the clock meanwhile'),
    });
    ending.holds(listener.close);
    await app.start();
    ending.works(app.stop);
    log.info({ owner, port: app.port(), metrics: metrics.port, runbook: config.runbook }, 'm10bot is ready');
    return { stop: ending.end };
  } catch (error) {
    await ending.end();
    throw error;
  }
}
