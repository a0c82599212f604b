import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { offlineKinds } from '../../src/cli/kinds.js';
import { loadConfig } from '../../src/config.js';
import { type DoctorOptions, runDoctor } from '../../src/doctor.js';
import { toolPath } from '../../workspace/services/tools.js';
import { createTrial, type Trial } from '../../workspace/trial/trial.js';
import { freshRedis } from '../support/database.js';

export interface Place {
  readonly directory: string;
  readonly trial: Trial;
  readonly redis: { readonly staging: string; readonly production: string };
  close(): Promise<void>;
}

/**
 * A whole trial on which every check of the doctor is fine. No bot runs yet.
 * @param dist the compiled tree, for tests that start the bot
 */
export async function openPlace(name: string, dist = ''): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'm10-doctor-'));
  const [staging, production] = [await freshRedis(), await freshRedis()];
  const trial = await createTrial({
    server: { adminUrl: inject('postgresAdminUrl') },
    redis: { staging: staging.url, production: production.url },
    directory,
    dist,
    tools: await toolPath(),
    watch: () => {},
    name: `${name}_${process.pid}`,
  });
  return {
    directory,
    trial,
    redis: { staging: staging.url, production: production.url },
    async close() {
      await trial.stop();
      await staging.drop();
      await production.drop();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const Target = z.looseObject({
  'database-url': z.string(),
  'redis-url': z.string(),
  directory: z.string(),
  env: z.record(z.string(), z.string()),
  gate: z.looseObject({}).optional(),
});
const Shape = z.looseObject({
  slack: z.looseObject({ channel: z.string(), team: z.string() }),
  operators: z.array(z.string()),
  approvers: z.record(
    z.string(),
    z.looseObject({ users: z.array(z.string()), usergroups: z.array(z.string()).optional() }),
  ),
  runbook: z.string(),
  targets: z.object({ staging: Target, production: Target }),
  backups: z.looseObject({ directory: z.string(), 'min-free': z.string() }),
  state: z.looseObject({ directory: z.string() }),
});
export type FileShape = z.infer<typeof Shape>;

/** The place's configuration with changes, as a file of its own. */
export async function changedConfig(place: Place, change: (file: FileShape) => void): Promise<string> {
  const file = Shape.parse(parse(await readFile(place.trial.configPath, 'utf8')));
  change(file);
  const path = join(place.directory, `m10-${Math.random().toString(36).slice(2)}.yml`);
  await writeFile(path, stringify(file), { mode: 0o600 });
  return path;
}

/** Runs the doctor as the command does, in this process. */
export async function diagnose(
  env: Readonly<Record<string, string>>,
  options: Partial<DoctorOptions> = {},
): Promise<{ healthy: boolean; lines: string[]; problems: string[]; warnings: string[] }> {
  const lines: string[] = [];
  const healthy = await runDoctor({
    config: loadConfig(env),
    kinds: offlineKinds(),
    write: (line) => lines.push(line),
    ...options,
  });
  const marked = (sign: string) => lines.filter((line) => line.startsWith(sign));
  return { healthy, lines, problems: marked('✗'), warnings: marked('!') };
}
