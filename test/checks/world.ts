import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { inject } from 'vitest';
import type { StepDeps } from '../../src/checks/deps.js';
import { createRevisions } from '../../src/checks/revisions.js';
import { createProcesses } from '../../src/clients/process.js';
import type { MaintenanceWindow, TargetConfig } from '../../src/config.js';
import type { JobsConfig } from '../../src/config-jobs.js';
import { GatePolicy, Runbook } from '../../src/runbook/definition.js';
import { type JobsPort, noJobs } from '../../src/runbook/jobs/port.js';
import type { People, Roster } from '../../src/runbook/people.js';
import type { Outcome, Probe, StepContext, StepKind } from '../../src/runbook/step-kind.js';
import { layoutBackend } from '../../workspace/backend/layout.js';
import type { BackendVariant } from '../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';

export const before = '021_m10_durable_queue_fallback';
export const after = '022_m10_production_hardening';
export const beyond = '023_m10_candidate_notes';

export const runbook = Runbook.parse({
  runbook: 'test',
  title: 'A runbook for tests',
  targets: ['staging', 'production'],
  migration: { from: before, to: after },
  phases: [
    {
      id: 'production',
      title: 'Production',
      on: 'production',
      gate: {},
      steps: [{ id: 'one', title: 'One step', uses: 'command' }],
    },
  ],
  rollback: {
    id: 'rollback',
    title: 'Rollback',
    gate: {},
    steps: [{ id: 'back', title: 'Back', uses: 'command' }],
  },
});

export interface World {
  readonly directory: string;
  readonly backups: string;
  /** Lays out the sample backend, each variant once. */
  backend(variant?: BackendVariant, sleepSeconds?: number): Promise<string>;
  /** A database at a revision of the good backend (or another variant); copies of one template. */
  databaseAt(revision: string | null, variant?: BackendVariant): Promise<FreshDatabase>;
  alembic(
    url: string,
    directory: string,
    ...args: readonly string[]
  ): Promise<{ exitCode: number | undefined; stderr: string }>;
  target(given: Partial<TargetConfig> & { readonly databaseUrl: string }): TargetConfig;
  deps(given?: Partial<Given>): StepDeps;
  drop(): Promise<void>;
}

export interface Given {
  readonly targets: readonly TargetConfig[];
  readonly windows: readonly MaintenanceWindow[];
  readonly roster: Roster;
  readonly now: () => number;
  readonly minFreeBytes: number;
  readonly jobs: { readonly config: JobsConfig; readonly port: JobsPort };
}

/** Everything a step needs, on real parts; only the people are given. */
export async function createWorld(): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'm10-steps-'));
  const processes = createProcesses({ directory: join(directory, 'children') });
  const backups = join(directory, 'backups');
  const layouts = new Map<string, Promise<string>>();
  const templates = new Map<string, Promise<FreshDatabase>>();
  const made: FreshDatabase[] = [];

  const world: World = {
    directory,
    backups,
    backend(variant = 'good', sleepSeconds) {
      const key = `${variant}${sleepSeconds ?? ''}`;
      let layout = layouts.get(key);
      if (layout === undefined) {
        const options = { directory: join(directory, `backend-${key}`), variant };
        layout = layoutBackend(sleepSeconds === undefined ? options : { ...options, sleepSeconds }).then(
          (l) => l.directory,
        );
        layouts.set(key, layout);
      }
      return layout;
    },
    async databaseAt(revision, variant = 'good') {
      const key = `${variant}-${revision ?? 'empty'}`;
      let template = templates.get(key);
      if (template === undefined) {
        template = (async () => {
          const database = await freshDatabase(`steps ${key}`);
          if (revision !== null) {
            const ran = await world.alembic(database.url, await world.backend(variant), 'upgrade', revision);
            if (ran.exitCode !== 0) throw new Error(ran.stderr);
          }
          made.push(database);
          return database;
        })();
        templates.set(key, template);
      }
      const { name } = await template;
      const database = await freshDatabase('steps', { template: name });
      made.push(database);
      return database;
    },
    async alembic(url, folder, ...args) {
      const { exitCode, stderr } = await execa('alembic', args, {
        cwd: folder,
        env: { PATH: inject('toolPath'), DATABASE_URL: url },
        extendEnv: false,
        preferLocal: false,
        reject: false,
      });
      return { exitCode, stderr };
    },
    target: (given) => ({
      name: 'production',
      redisUrl: null,
      directory,
      env: { PATH: inject('toolPath') },
      metricsUrl: null,
      gate: GatePolicy.parse({}),
      ...given,
    }),
    deps: (given = {}) => ({
      processes,
      revisions: createRevisions({ processes, now: given.now ?? Date.now }),
      people: peopleOf(given.roster ?? { eligible: ['UBOB'], ineligible: [], problems: [], notAsked: [] }),
      config: {
        backups: { directory: backups, minFreeBytes: given.minFreeBytes ?? 0 },
        windows: given.windows ?? [],
        targets: Object.fromEntries((given.targets ?? []).map((t) => [t.name, t])),
        jobs: given.jobs?.config ?? null,
      },
      jobs: given.jobs?.port ?? noJobs,
      now: given.now ?? Date.now,
      workDirectory: join(directory, 'work'),
    }),
    async drop() {
      for (const database of made.reverse()) await database.drop();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return world;
}

function peopleOf(roster: Roster): People {
  return {
    verdict: async () => ({ kind: 'eligible' }),
    roster: async () => roster,
    signs: async () => ({ kind: 'not_asked', why: 'offline', retryAfterMs: 0 }),
  };
}

let attempts = 0;

export function contextOf(
  target: TargetConfig,
  given: {
    readonly timeout?: number;
    readonly startedAt?: number;
    readonly signal?: AbortSignal;
    readonly data?: Record<string, Record<string, unknown>>;
    readonly uses?: string;
  } = {},
): StepContext<TargetConfig> {
  attempts += 1;
  const id = `${process.pid}-${attempts}`;
  return {
    runbook,
    step: {
      id: 'one',
      title: 'One step',
      uses: given.uses ?? 'test',
      with: {},
      timeout: given.timeout ?? 60_000,
    },
    target,
    redact: (text) => text,
    run: 7,
    attempt: 1,
    startedAt: given.startedAt ?? Date.now(),
    childId: `run-7/${id}`,
    mark: '',
    applicationName: `m10bot:7:test:${id}`,
    signal: given.signal ?? new AbortController().signal,
    dataOf: (step) => JSON.parse(JSON.stringify(given.data?.[step] ?? null)) ?? undefined,
    requester: 'UALICE',
    approval: { gate: 1, approvers: ['UBOB'] },
    drift: () => [],
  };
}

/** Binds arguments as a runbook gives them. @throws when they are refused */
export function bind(kind: StepKind<TargetConfig>, args: unknown) {
  const bound = kind.bind(args);
  if (!bound.ok) throw new Error(bound.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('\n'));
  return bound.step;
}

export function run(
  kind: StepKind<TargetConfig>,
  args: unknown,
  context: StepContext<TargetConfig>,
): Promise<Outcome> {
  return bind(kind, args).run(context);
}

export async function probe(
  kind: StepKind<TargetConfig>,
  args: unknown,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const step = bind(kind, args);
  if (step.probe === undefined) throw new Error(`${kind.name} has no probe`);
  return step.probe(context);
}

/** Runs one statement on a connection of its own. */
export async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  return withClient(url, async (client) => (await client.query<Record<string, unknown>>(text)).rows);
}

export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
  applicationName = 'psql',
): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
