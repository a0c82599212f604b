import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { ExpectedDatabase } from '../../../src/clients/alembic/observe.js';
import {
  type Alembic,
  type AlembicOptions,
  createAlembic,
  type MigrateResult,
} from '../../../src/clients/alembic.js';
import { readExpectedDatabase } from '../../../src/clients/postgres/expected.js';
import type { Database } from '../../../src/clients/postgres.js';
import { createProcesses, type Processes } from '../../../src/clients/process.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';
import { layoutProject, type ProjectSpec } from './project.js';

/** A folder for projects, and databases that go with it. */
export interface Place {
  readonly directory: string;
  readonly processes: Processes;
  project(spec: ProjectSpec): Promise<string>;
  database(): Promise<{ readonly url: string; readonly open: Database; readonly expected: ExpectedDatabase }>;
  alembic(url: string, project: string, more?: Partial<AlembicOptions>): Alembic;
  drop(): Promise<void>;
}

export async function createPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'm10-alembic-'));
  const processes = createProcesses({ directory: join(directory, 'children') });
  const made: { fresh: FreshDatabase; open: Database }[] = [];
  let next = 0;
  return {
    directory,
    processes,
    project(spec) {
      next += 1;
      return layoutProject(join(directory, `project-${next}`), spec);
    },
    async database() {
      const fresh = await freshDatabase('alembic');
      const open = await openDatabase(fresh.url);
      made.push({ fresh, open });
      return { url: fresh.url, open, expected: await readExpectedDatabase(open) };
    },
    alembic(url, project, more = {}) {
      next += 1;
      return createAlembic({
        processes,
        directory: project,
        env: toolEnv(),
        databaseUrl: url,
        applicationName: `m10bot:test:${next}`,
        id: `test/${next}`,
        ...more,
      });
    },
    async drop() {
      for (const { fresh, open } of made) {
        await open.close();
        await fresh.drop();
      }
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** M10_TEST_PYTHONPATH adds a folder with other versions of Alembic, SQLAlchemy or drivers. */
export function toolEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const packages = process.env.M10_TEST_PYTHONPATH;
  return { PATH: inject('toolPath'), ...(packages ? { PYTHONPATH: packages } : {}), ...more };
}

/** Whether the Python that runs Alembic has a module; without, its tests are skipped. */
export function hasModule(names: string): boolean {
  return spawnSync('python3', ['-c', `import ${names}`], { env: toolEnv() }).status === 0;
}

export const limits = { lockTimeoutMs: 2_000, timeoutMs: 60_000 };

/** Prints a migration and carries exactly that out, as a step does. */
export async function carry(
  alembic: Alembic,
  expected: ExpectedDatabase,
  from: readonly string[],
  to: string,
  direction: 'upgrade' | 'downgrade' = 'upgrade',
): Promise<MigrateResult> {
  const printed = await alembic.print(direction, from, to);
  if (printed.kind !== 'printed' && printed.kind !== 'unprintable') throw new Error(printed.evidence);
  const files = Object.fromEntries([...(printed.observed?.files ?? [])].map(([p, f]) => [p, f.sha256]));
  return alembic.migrate(direction, to, { ...limits, target: expected, from, steps: printed.steps, files });
}
