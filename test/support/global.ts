import type { TestProject } from 'vitest/node';
import { startServices } from '../../workspace/services/services.js';
import { toolPath } from '../../workspace/services/tools.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser URL of the PostgreSQL that all test files of this run share. */
    postgresAdminUrl: string;
    /** URL of database 0 of the shared Redis; use freshRedis() for one of your own. */
    redisUrl: string;
    /** PATH under which the programs of the trial are found. */
    toolPath: string;
  }
}

/** Starts one PostgreSQL and one Redis for the whole run and stops them at its end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { value } = await toolPath();
  // The workers inherit it, so that nobody has to look for the programs again.
  process.env.M10_TOOL_PATH = value;
  const services = await startServices({ fast: true, settings: { max_prepared_transactions: '8' } });
  project.provide('toolPath', value);
  project.provide('postgresAdminUrl', services.postgres.adminUrl);
  project.provide('redisUrl', services.redis.url);
  return services.stop;
}
