import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createEndAttempt } from './actions/end-attempt.js';
import { createActions } from './actions/index.js';
import { createSlackAccess } from './bot/access.js';
import { createBotApp } from './bot/app.js';
import { readChannelHeads } from './bot/chain-heads.js';
import { createPublisher } from './bot/publish.js';
import { createChecks } from './checks/index.js';
import { createLossCounter } from './checks/loss.js';
import { createPlans } from './checks/plan/plans.js';
import { createRevisions } from './checks/revisions.js';
import { createTargetReader } from './checks/target-state.js';
import { whyUnwritable } from './clients/disk.js';
import { createProcesses } from './clients/process.js';
import { createSlack } from './clients/slack.js';
import { sqlParser } from './clients/sql/parser.js';
import { harmOfEnd as harmOf, readSupervisor } from './clients/supervisor.js';
import type { Config } from './config.js';
import { loadRunbook } from './load-runbook.js';
import { assertStateIsApart } from './main/apart.js';
import { createEnding } from './main/ending.js';
import { createHeadsWatch } from './main/heads.js';
import { createJobs } from './main/jobs.js';
import { startMetrics } from './main/metrics.js';
import { createOutputs } from './main/output.js';
import { prune } from './main/prune.js';
import { headsPath, openState } from './main/state.js';
import { createRedactor } from './redact.js';
import type { Runbook } from './runbook/definition.js';
import type { Plan } from './runbook/events.js';
import { createAdvance } from './runner/advance.js';
import { createAssessor } from './runner/assess.js';
import { createElsewhere } from './runner/elsewhere.js';
import { createGates } from './runner/gates.js';
import { createPlanner } from './runner/plan.js';
import { createRunner } from './runner/runner.js';
import { createSteps } from './runner/steps.js';
import { clockWarning, createDatabaseClock } from './store/clock.js';
import { createCursors } from './store/cursors.js';
import { LeaseLost } from './store/errors.js';
import { type HeadMismatch, inWords } from './store/heads.js';
import { createHeadsFile } from './store/heads-file.js';
import { createHeld, readUndelivered } from './store/held.js';
import { createInbox } from './store/inbox.js';
import { createJournal } from './store/journal.js';
import { createLeases, pruneLeases } from './store/leases.js';
import { createListener } from './store/notify.js';
import { createPosted } from './store/posted.js';
import { createRuns } from './store/runs.js';
import { nextRunNumber } from './store/sequences.js';
import { targetNames } from './store/target-names.js';

export interface Bot {
  /** Takes on nothing more, gives what is running some time, then leaves it alone. */
  stop(): Promise<void>;
}

/** Deliveries that were handled longer ago are forgotten: Slack redelivers within hours, ms. */
const keepHandledMs = 7 * 24 * 3_600_000;
/** Leases of what is over are forgotten when nobody has held them for this long, ms. */
const keepLeasesMs = 30 * 24 * 3_600_000;
const pruneEveryMs = 3_600_000;
/** Longest wait of the publisher for one answer of Slack, ms. */
const publishTimeoutMs = 15_000;

/**
 * The composition root: builds every part from the configuration and starts it.
 * @throws ConfigError, RunbookError, MigrationError before anything takes effect
 */
export async function startBot(options: { readonly config: Config; readonly log: Logger }): Promise<Bot> {
  const { config, log } = options;
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const { redact } = createRedactor(config.secrets, config.shown);
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const ending = createEnding(log);

  try {
    const targets = Object.values(config.targets);
    const state = await openState(
      config,
      (error) => log.warn({ error }, 'a database connection broke'),
      (message) => log.warn(message),
      (pool) => assertStateIsApart(pool, targets),
    );
    ending.holds(state.close);
    const { pool } = state;
    const clock = createDatabaseClock(pool, (aheadMs) => log.warn({ aheadMs }, clockWarning(aheadMs) ?? ''));
    await clock.start();
    ending.holds(clock.close);
    const now = clock.reckon;

    const journal = createJournal(pool);
    const posted = createPosted(pool);
    const held = createHeld(pool);
    const leases = createLeases(pool);
    const runs = createRuns({ journal, now: clock.now });
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
    let differs: () => HeadMismatch | null = () => null;
    const metrics = await startMetrics({
      config,
      pool,
      journal,
      connected: () => connected(),
      clock,
      journalDiffers: () => inWords(differs()),
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
    const harmOfEnd = async () => harmOf(await readSupervisor(processes, { PATH: process.env.PATH ?? '' }));
    const planner = createPlanner({ config, kinds, targets: reader, digest, redact, harmOfEnd });
    const loss = createLossCounter({ config });
    const assessor = createAssessor({
      config,
      targets: reader,
      loss,
      redact,
    });
    const endAttempt = createEndAttempt({ processes });
    const elsewhere = createElsewhere({ readKept: outputs.readWhole, digest });
    const steps = createSteps({
      config,
      directory: state.place.directory,
      planner,
      elsewhere,
      digest,
      redact,
      keepOutput: outputs.keep,
      endAttempt,
      now: clock.now,
      log,
    });
    const gates = createGates({ config, planner, people: slack.people, elsewhere, changing, loss, now });
    const advance = createAdvance({ runs, gates, steps, assessor, where: state.place, now: clock.now, log });
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
    const openRuns = async () => (await runs.holders(names)).map(({ run }) => run);
    const pruneAll = async () => {
      await inbox.prune(keepHandledMs);
      const open = (await openRuns()).map((run) => `run:${run}`);
      await pruneLeases(pool, ['run:%', 'jobs:%:request:%'], open, keepLeasesMs);
      // By this machine's clock, which dates the files.
      await prune({ directory: config.state.directory, processes, openRuns, now: Date.now });
    };
    const pruning = setInterval(() => {
      pruneAll().catch((error: unknown) => log.warn({ error }, 'what is old stays for now'));
    }, pruneEveryMs);
    ending.holds(() => clearInterval(pruning));

    const heads = createHeadsWatch({
      pool,
      journal,
      file: createHeadsFile(headsPath(config)),
      channelHeads: (sinceMs) => channelHeads(sinceMs),
      tell: async ({ noted, found, end }) => {
        const { place, position, hash } = noted;
        const event = { type: 'JournalMismatch', place, position, noted: hash, found, end } as const;
        await runs.recordAtDesk(config.slack.channel, event, null);
      },
      log,
    });
    differs = heads.standing;

    async function channelHeads(sinceMs: number) {
      const botUserId = slack.identity.current()?.userId;
      if (botUserId === undefined) throw new Error('the bot does not know yet who it is in Slack');
      const { channel } = config.slack;
      return readChannelHeads(slack.clients.background, { channel, botUserId, sinceMs });
    }

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
      journalDiffers: heads.differs,
      nextRunNumber: () => nextRunNumber(pool),
      loadRunbook: async () => load(),
      changing,
      planOf: (runbook) => planOf(runbook),
      targetStates: () => Promise.all(targets.map((target) => reader.state(target))),
      jobs: { jobs: jobs.port, jobsJournal: jobs.jobsJournal, m10: jobs.m10 },
      ready: async () =>
        (await pool.query('SELECT 1')).rowCount === 1 &&
        (await whyUnwritable(config.state.directory)) === null,
    });

    connected = app.connected;

    async function planOf(runbook: Runbook): Promise<Plan> {
      const all = runbook.phases.flatMap((block) => block.steps.map((step) => ({ block, step })));
      const planned = await planner.plan(runbook, load().digest, all);
      if (planned.kind !== 'planned') throw new Error(`The plan cannot be made: ${planned.why}`);
      return planned.plan;
    }

    runner.start();
    ending.works(() => runner.stop(config.state.stopWaitMs));
    jobs.start();
    ending.works(() => jobs.stop(config.state.stopWaitMs));
    const listener = createListener({
      url: state.url,
      onPosition: () => {
        runner.wake();
        publisher.wake();
        jobs.wake();
        heads.wake();
      },
      onError: (error) => log.warn({ error }, 'not listening to the journal; looking by the clock meanwhile'),
    });
    ending.holds(listener.close);
    await app.start();
    heads.start();
    ending.works(heads.stop);
    ending.works(app.stop);
    log.info({ owner, port: app.port(), metrics: metrics.port, runbook: config.runbook }, 'm10bot is ready');
    return { stop: ending.end };
  } catch (error) {
    await ending.end();
    throw error;
  }
}
