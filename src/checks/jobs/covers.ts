import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseDatabaseUrl } from '../../clients/postgres/url.js';
import { findProgram } from '../../clients/process/lookup.js';
import type { TargetConfig } from '../../config.js';
import type { JobsConfig } from '../../config-jobs.js';
import type { JobParts } from '../../runbook/jobs/events.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobCovers } from '../../runbook/jobs/port.js';
import type { CommandArgs } from '../command/arguments.js';
import { digestCode } from '../plan/code.js';
import { settingsOf } from './settings.js';

/** Entries of a folder that have digests of their own. */
const mostEntries = 50;

/**
 * Says what a job does, for an approval of its schedule and for each comparison with that: its configuration and
 * what it works on; for a program of the team also the program's file, the files that its arguments name, its
 * directory, the names of its environment and the code below the target's directory. What m10bot itself does is
 * m10bot's code, which is not part of it: an upgrade of m10bot changes no approval.
 * @param deps.redact applied to each part
 */
export function createJobCovers(deps: {
  readonly jobs: JobsConfig;
  readonly target: TargetConfig;
  readonly redact: (text: string) => string;
}): (job: JobName) => Promise<JobCovers> {
  const { jobs, target, redact } = deps;

  return async (job) => {
    try {
      const { command } = jobs[job];
      const program = command === undefined ? {} : await programParts(command);
      const parts = { ...settingsOf(jobs, job), ...placeOf(target), ...program };
      const clean = Object.entries(parts).map(([name, value]) => [name, redact(value)]);
      return { kind: 'read', parts: Object.fromEntries(clean) };
    } catch (error) {
      return { kind: 'failed', why: redact(error instanceof Error ? error.message : String(error)) };
    }
  };

  /** @throws when something is there and cannot be read; what is not there is a fact like any other */
  async function programParts(command: CommandArgs): Promise<JobParts> {
    const cwd = resolve(target.directory, command.cwd ?? '.');
    const env = { ...target.env, ...command.env };
    const [name, ...args] = command.argv;
    const found = await findProgram(name, env.PATH, cwd);
    const parts: Record<string, string> = {
      directory: cwd,
      environment: ['DATABASE_URL', 'REDIS_URL', 'PGAPPNAME', ...Object.keys(env)].sort().join(' '),
      'program file': found.kind === 'found' ? await fileState(found.path) : found.reason,
    };
    for (const argument of args) {
      const file = await namedFile(cwd, argument);
      if (file !== null) parts[`file ${argument}`] = await fileState(file);
    }
    for (const directory of isBelow(target.directory, cwd) ? [target.directory] : [target.directory, cwd]) {
      Object.assign(parts, await codeParts(directory));
    }
    return parts;
  }
}

/** A digest for each of the first entries of the folder, so that a difference says where it is. */
async function codeParts(directory: string): Promise<JobParts> {
  const own = new Set<string>();
  const { digests, partial } = await digestCode(directory, (path) => {
    const [entry = ''] = path.split('/');
    if (own.size < mostEntries) own.add(entry);
    return own.has(entry) ? join(directory, entry) : `the rest of ${directory}`;
  });
  return {
    ...Object.fromEntries([...digests].map(([place, digest]) => [`code in ${place}`, digest])),
    ...(partial === null ? {} : { [`limit of the code in ${directory}`]: partial }),
  };
}

/** What the target is reached by, without what only proves who asks. */
function placeOf({ databaseUrl, redisUrl }: TargetConfig): JobParts {
  const parsed = parseDatabaseUrl(databaseUrl);
  const { host, port, user, database } =
    parsed.kind === 'address' ? parsed.address : { host: '', port: 0, user: '', database: 'not readable' };
  const redis = redisUrl === null ? null : new URL(redisUrl);
  return {
    database: `${user}@${host}:${port}/${database}`,
    redis: redis === null ? 'none' : `${redis.username}@${redis.host}${redis.pathname}`,
  };
}

function isBelow(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}

/** The file that an argument names, also as the value of an option: `--config=jobs.toml`. */
async function namedFile(cwd: string, argument: string): Promise<string | null> {
  for (const text of [argument, argument.slice(argument.indexOf('=') + 1)]) {
    const path = resolve(cwd, text);
    if (text !== '' && (await isFile(path))) return path;
  }
  return null;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function fileState(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const real = await realpath(path);
  return `${real === path ? path : `${path} -> ${real}`} ${hash.digest('hex')}`;
}
