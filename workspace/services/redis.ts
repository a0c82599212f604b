import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../src/store/freePort.js';
import { startProgram } from './program.js';
import { toolPath } from './tools.js';

export interface RedisOptions {
  /** Folder for its configuration and append-only file; created. */
  readonly directory: string;
  /** Default true, as streams need it. */
  readonly appendonly?: boolean;
  /** Default `noeviction`, as streams need it. */
  readonly maxmemoryPolicy?: string;
}

export interface RedisServer {
  /** URL of database 0, password included. */
  readonly url: string;
  readonly pid: number;
  /** URL of a logical database that nobody got from this function before. */
  createDb(): string;
  stop(): Promise<void>;
}

/** Logical databases of one server; far more than one run of all tests asks for. */
export const REDIS_DATABASES = 1024;

const DEADLINE_MS = 15_000;
const PORT_ATTEMPTS = 5;

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

/**
 * Starts a private redis-server on a free port of 127.0.0.1, with a password. The settings can be made wrong
 * on purpose, for a check that must notice.
 *
 * @throws Error with the end of its log when it does not come up.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const password = randomBytes(18).toString('base64url');
  const logPath = join(directory, 'redis.log');
  const path = await toolPath();
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `redis://:${password}@127.0.0.1:${port}`;
    // A file instead of arguments: the password would show in the process list.
    const settings = [
      ...['bind 127.0.0.1', `port ${port}`, `requirepass ${password}`, `dir "${directory}"`],
      ...[`appendonly ${options.appendonly === false ? 'no' : 'yes'}`, 'save ""', 'daemonize no'],
      ...[`maxmemory-policy ${options.maxmemoryPolicy ?? 'noeviction'}`, `databases ${REDIS_DATABASES}`],
    ];
    await writeFile(join(directory, 'redis.conf'), `${settings.join('\n')}\n`, { mode: 0o600 });
    const child = await startProgram({
      file: path.find('redis-server'),
      args: [join(directory, 'redis.conf')],
      env: { PATH: path.value },
      cwd: directory,
      logPath,
      background: true,
    });
    let ended = false;
    void child.ended.then(() => {
      ended = true;
    });
    const deadline = Date.now() + DEADLINE_MS;
    while (!ended && Date.now() < deadline) {
      if (await answers(`${url}/0`)) {
        let last = 0;
        return {
          url: `${url}/0`,
          pid: child.pid,
          createDb() {
            last += 1;
            if (last >= REDIS_DATABASES)
              throw new Error('All logical databases of this Redis are given away.');
            return `${url}/${last}`;
          },
          async stop() {
            if (!ended) process.kill(child.pid, 'SIGTERM');
            const patience = Date.now() + DEADLINE_MS;
            while (!ended) {
              if (Date.now() > patience) process.kill(child.pid, 'SIGKILL');
              await sleep(10);
            }
          },
        };
      }
      await sleep(10);
    }
    if (!ended) process.kill(child.pid, 'SIGKILL');
    const log = (await readFile(logPath, 'utf8')).trimEnd().split('\n').slice(-10).join('\n');
    if (ended && log.includes('Address already in use') && attempt < PORT_ATTEMPTS) continue;
    throw new Error(`redis-server did not start. Its log ends with:\n${log}`);
  }
}
