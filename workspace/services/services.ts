import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { reachable, serverUser } from '../../src/store/embeddedBinaries.js';
import { createDatabase, dropDatabase } from './databases.js';
import { startProgram } from './program.js';
import { startReaper } from './reaper.js';
import { type RedisServer, startRedis } from './redis.js';

export interface ServicesOptions {
  /** True for tests: PostgreSQL without fsync. A commit still is a commit for everyone connected. */
  readonly fast?: boolean;
  /** Further PostgreSQL settings (`-c name=value`). */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Services {
  readonly postgres: {
    /** Superuser connection to the database `postgres`, password included. */
    readonly adminUrl: string;
    readonly pid: number;
    /** Creates an empty database, or a copy of `template`, and returns its URL. */
    createDatabase(name: string, options?: { readonly template?: string }): Promise<string>;
    /** Drops a database, its connections first; nothing happens when it does not exist. */
    dropDatabase(name: string): Promise<void>;
  };
  readonly redis: Pick<RedisServer, 'url' | 'pid' | 'createDb'>;
  /**
   * Temporary folder of everything, removed at the end. A PostgreSQL that others start below it (the bot's own
   * state, say) is stopped with the rest when this process dies.
   */
  readonly directory: string;
  /** Names one more process that must not outlive this one. */
  watch(pid: number): void;
  /** Stops both servers and removes the folder. May be called twice. */
  stop(): Promise<void>;
}

/** The usual temporary folder; `/tmp` when that one is closed to the account that root's PostgreSQL runs as. */
async function temporaryFolder(): Promise<string> {
  const usual = tmpdir();
  const user = await serverUser();
  return !user || (await reachable(usual, user, 1)) ? usual : '/tmp';
}

/**
 * Starts a private PostgreSQL and a private Redis on free ports of 127.0.0.1, with passwords. When this process
 * ends without `stop()`, by whatever cause, a reaper stops them and removes the folder a moment later.
 */
export async function startServices(options: ServicesOptions = {}): Promise<Services> {
  const directory = await mkdtemp(join(await temporaryFolder(), 'm10-services-'));
  const reaper = await startReaper(directory);
  const started: (() => Promise<void>)[] = [];
  const stop = async () => {
    await Promise.all(started.splice(0).map((end) => end()));
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
    await reaper.dismiss();
  };
  try {
    // PostgreSQL may run under another account, which has to pass through.
    await chmod(directory, 0o711);
    const results = await Promise.allSettled([
      startEmbeddedPostgres({
        dataDirectory: join(directory, 'postgres'),
        logPath: join(directory, 'postgres.log'),
        start: startProgram,
        durable: options.fast !== true,
        settings: { max_connections: '200', ...options.settings },
      }).then((server) => {
        started.push(server.stop);
        reaper.watch(server.pid);
        return server;
      }),
      startRedis({ directory: join(directory, 'redis') }).then((server) => {
        started.push(server.stop);
        reaper.watch(server.pid);
        return server;
      }),
    ]);
    const [postgres, redis] = results;
    if (postgres.status === 'rejected') throw postgres.reason;
    if (redis.status === 'rejected') throw redis.reason;
    const adminUrl = postgres.value.url;
    return {
      postgres: {
        adminUrl,
        pid: postgres.value.pid,
        createDatabase: (name, how) => createDatabase(adminUrl, name, how),
        dropDatabase: (name) => dropDatabase(adminUrl, name),
      },
      redis: redis.value,
      directory,
      watch: reaper.watch,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
