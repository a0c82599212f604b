import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { revisions } from '../workspace/backend/variants.js';
import { createDatabase } from '../workspace/services/databases.js';
import { type Services, startServices } from '../workspace/services/services.js';
import { repositoryRoot, type ToolPath, toolPath } from '../workspace/services/tools.js';
import { type BotProcess, startBotProcess } from '../workspace/trial/bot-process.js';
import { prepareTargets, upgrade } from '../workspace/trial/targets.js';
import { createTrial, type Trial, type TrialOptions } from '../workspace/trial/trial.js';

/** One set of services for all benchmarks, with durable commits as in production. */
export interface World {
  readonly services: Services;
  readonly dist: string;
  readonly tools: ToolPath;
  readonly root: string;
  /** A database at the revision before the hardening, to copy. */
  readonly template: string;
  /** Name of a database at the revision of the hardening, to copy; made at the first call. */
  hardened(): Promise<string>;
  /** A fresh folder. */
  folder(): Promise<string>;
  name(): string;
  trial(options?: Partial<TrialOptions>): Promise<Trial>;
  stop(): Promise<void>;
}

/** @param compiled the folder with the compiled programs; `dist` when not given */
export async function createWorld(compiled?: string): Promise<World> {
  const tools = await toolPath();
  const services = await startServices();
  const root = await repositoryRoot();
  const dist = compiled ?? join(root, 'dist');
  let count = 0;
  const name = () => {
    count += 1;
    return `bench_${count}`;
  };
  const folder = async () => {
    const path = join(services.directory, `folder-${name()}`);
    await mkdir(path);
    return path;
  };
  const server = { adminUrl: services.postgres.adminUrl };
  const template = 'bench_template';
  const { backend } = await prepareTargets({
    server,
    names: [template],
    directory: join(await folder(), 'b'),
    path: tools.value,
  });
  let hardened: Promise<string> | undefined;
  return {
    services,
    dist,
    tools,
    root,
    template,
    hardened() {
      hardened ??= harden({ server, backend, template, path: tools.value });
      return hardened;
    },
    folder,
    name,
    async trial(options = {}) {
      return createTrial({
        server,
        redis: { staging: services.redis.createDb(), production: services.redis.createDb() },
        directory: await folder(),
        dist,
        tools,
        watch: services.watch,
        template,
        name: name(),
        slack: { rateLimits: 'off' },
        ...options,
      });
    },
    stop: services.stop,
  };
}

async function harden(options: {
  readonly server: { readonly adminUrl: string };
  readonly backend: string;
  readonly template: string;
  readonly path: string;
}): Promise<string> {
  const { server, backend, template, path } = options;
  const name = `${template}_022`;
  const url = await createDatabase(server.adminUrl, name, { template });
  await upgrade({ url, backend, path, to: revisions.hardening });
  return name;
}

export interface Bare {
  readonly process: BotProcess;
  readonly url: string;
  readonly secret: string;
}

/** Starts the bare app beside which the bot is measured, with a database of its own. */
export async function startBare(world: World, port: number, logPath: string): Promise<Bare> {
  const secret = 'bare-secret';
  const database = await createDatabase(world.services.postgres.adminUrl, world.name());
  const process = await startBotProcess({
    argv: [join(world.dist, 'bench', 'bare-bolt.js')],
    cwd: world.root,
    env: {
      PATH: world.tools.value,
      STATE_DATABASE_URL: database,
      REDIS_URL: world.services.redis.url,
      SLACK_SIGNING_SECRET: secret,
      PORT: String(port),
    },
    logPath,
    watch: world.services.watch,
  });
  return { process, url: `http://127.0.0.1:${port}/slack/events`, secret };
}

export interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * Sends signed commands from a process of its own.
 * @throws Error when any of them was not answered as it should be
 */
export async function load(
  world: World,
  to: { readonly url: string; readonly secret: string },
  concurrency: number,
  count: number,
): Promise<Load> {
  const script = join(world.dist, 'bench', 'load.js');
  const args = [script, to.url, to.secret, String(concurrency), String(count)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { failures, ...result } = JSON.parse(stdout) as Load & { failures: Record<string, number> };
  if (Object.keys(failures).length > 0) throw new Error(`requests failed: ${JSON.stringify(failures)}`);
  return result;
}
