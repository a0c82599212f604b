import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, vi } from 'vitest';
import { alembicDowngrade } from '../../src/actions/alembic/downgrade.js';
import { alembicUpgrade } from '../../src/actions/alembic/upgrade.js';
import { createPlans } from '../../src/checks/plan/plans.js';
import type { TargetConfig } from '../../src/config.js';
import type { Outcome, StepContext, StepKind } from '../../src/runbook/step-kind.js';
import { contextOf, createWorld, run, sql } from '../checks/world.js';
import { layoutProject, type ProjectSpec, type Version } from '../clients/alembic/project.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';

/** Lines of a migration that offline mode leaves out. */
export const online = (...lines: readonly string[]) => [
  'if not context.is_offline_mode():',
  ...lines.map((line) => `    ${line}`),
];
/** Lines of a migration that run outside of a transaction. */
export const alone = (...lines: readonly string[]) => [
  'with op.get_context().autocommit_block():',
  ...lines.map((line) => `    ${line}`),
];

export const args = { from: 'a', to: 'b' };

/** Projects of two revisions, a and b, each with a database of its own at a. */
export interface Place {
  readonly upgrade: StepKind<TargetConfig>;
  readonly downgrade: StepKind<TargetConfig>;
  /** @param more `prepare`: SQL that is run before, when there is the table t already */
  project(
    b: Version,
    more?: Partial<ProjectSpec> & { readonly prepare?: string },
  ): Promise<{ readonly url: string; readonly target: TargetConfig }>;
  database(): Promise<FreshDatabase>;
  /** Superuser URL of the server. */
  readonly admin: string;
  run(target: TargetConfig): Promise<Outcome>;
  /** Runs the upgrade, and stops its program once the condition holds. */
  runUntil(
    target: TargetConfig,
    condition: () => Promise<boolean>,
  ): Promise<{ readonly outcome: Outcome; readonly context: StepContext<TargetConfig> }>;
  drop(): Promise<void>;
}

export async function createPlace(): Promise<Place> {
  const world = await createWorld();
  const folder = await mkdtemp(join(tmpdir(), 'm10-stayed-'));
  const databases: FreshDatabase[] = [];
  const deps = world.deps();
  const plans = createPlans(deps);
  const upgrade = alembicUpgrade(deps, plans);
  const database = async () => {
    const made = await freshDatabase('stayed');
    databases.push(made);
    return made;
  };
  return {
    upgrade,
    downgrade: alembicDowngrade(deps, plans),
    database,
    admin: inject('postgresAdminUrl'),
    async project(b, { prepare = '', ...more } = {}) {
      const { url } = await database();
      await sql(
        url,
        `create table alembic_version (version_num varchar(32) primary key);
         insert into alembic_version values ('a'); create table t (name text); ${prepare}`,
      );
      const directory = await layoutProject(await mkdtemp(join(folder, 'project-')), {
        ...more,
        versions: { a: ["op.execute('create table t (name text)')"], b },
      });
      return { url, target: world.target({ databaseUrl: url, directory }) };
    },
    run: (target) => run(upgrade, args, contextOf(target)),
    async runUntil(target, condition) {
      const stop = new AbortController();
      const context = contextOf(target, { signal: stop.signal });
      const running = run(upgrade, args, context);
      await vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 50_000, interval: 50 });
      stop.abort();
      return { outcome: await running, context };
    },
    async drop() {
      for (const made of databases) await made.drop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      await world.drop();
    },
  };
}

/** The same target with more in the environment of its programs. */
export function withEnv(target: TargetConfig, env: Readonly<Record<string, string>>): TargetConfig {
  return { ...target, env: { ...target.env, ...env } };
}

/** Whether a session of the database is at work on what matches. */
export async function isActive(url: string, query: string): Promise<boolean> {
  const text = `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()
    and query ~* '${query}' and datname = current_database()`;
  return (await sql(url, text)).length > 0;
}
