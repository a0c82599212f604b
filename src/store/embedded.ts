import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serverBinaries, serverUser } from './embeddedBinaries.js';
import {
  clusterFolder,
  EmbeddedPostgresError,
  type EmbeddedPostgresOptions,
  exists,
  home,
  initialise,
  logEnd,
  passwordFile,
} from './embeddedCluster.js';
import { freePort } from './freePort.js';
import { isAlive, postmasterFile, readPostmaster } from './postmaster.js';

export interface EmbeddedPostgres {
  /** Superuser connection to the database `postgres`, password included. */
  readonly url: string;
  readonly pid: number;
  /** True when a server that an earlier process left behind was taken over. */
  readonly reused: boolean;
  /** Fast shutdown: clients are disconnected, data is checkpointed. Data and password stay. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
const POLL_MS = 20;
/** A port that was free a moment ago may be taken by the time the server binds it. */
const PORT_ATTEMPTS = 5;

/** Whether the server answers a query; `false` while it starts or recovers. */
async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch (error) {
    // 28P01, a wrong password, does not heal by waiting.
    if (!(error instanceof Error && 'code' in error && error.code === '28P01')) return false;
    throw new EmbeddedPostgresError(
      'PostgreSQL refuses the password that lies beside its data. Put the right one back into the file ' +
        '"password" there, or move the folder away to begin with an empty state.',
      { cause: error },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function until(condition: () => boolean | Promise<boolean>, deadlineMs: number): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

async function stopServer(cluster: string, pid: number): Promise<void> {
  // The file counts beside the process: where nobody reaps orphans, a finished server stays as a zombie.
  const gone = async () => !isAlive(pid) || !(await exists(postmasterFile(cluster)));
  // SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one (recovery at the next start).
  for (const [signal, deadlineMs] of [
    ['SIGINT', STOP_DEADLINE_MS],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (await gone()) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (await until(gone, deadlineMs)) return;
  }
}

/**
 * Starts the PostgreSQL 15 that npm installed with this package: TCP on 127.0.0.1 only, SCRAM with a random
 * password that lies in a 0600 file in the folder. The data stay from one start to the next. The server runs on
 * when this process is killed; the next call finds it and takes it over.
 *
 * @throws EmbeddedPostgresError when initdb or the server fails, or the server is not ready after 60 s.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = await serverUser(clusterFolder(options.dataDirectory));
  const folder = await home(options, user);
  const cluster = clusterFolder(folder);
  await mkdir(dirname(options.logPath), { recursive: true });
  const programs = await serverBinaries(user, folder, options.programs);
  if (!(await exists(cluster))) await initialise(folder, programs.initdb, options, user);
  const password = (await readFile(passwordFile(folder), 'utf8')).trim();
  const urlAt = (port: number) => `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const running = (pid: number, port: number, reused: boolean): EmbeddedPostgres => ({
    ...{ url: urlAt(port), pid, reused },
    stop: () => stopServer(cluster, pid),
  });

  const left = await readPostmaster(cluster);
  if (left) {
    const { pid, port } = left;
    const settled = await until(async () => !isAlive(pid) || (await answers(urlAt(port))), START_DEADLINE_MS);
    if (settled && isAlive(pid)) return running(pid, port, true);
    if (!settled) {
      throw new EmbeddedPostgresError(
        `A PostgreSQL server (process ${pid}, port ${port}) holds ${cluster} but does not answer. ` +
          `Stop it with: kill -INT ${pid}`,
      );
    }
  }
  // Nobody holds the file any more; PostgreSQL itself would refuse when another program got the old id.
  await rm(postmasterFile(cluster), { force: true });

  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const from = (await stat(options.logPath).catch(() => undefined))?.size ?? 0;
    const settings = {
      ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' },
      ...(options.durable === false ? { fsync: 'off', full_page_writes: 'off' } : {}),
      ...options.settings,
    };
    const child = await options.start({
      file: programs.postgres,
      args: [
        '-D',
        cluster,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      cwd: folder,
      logPath: options.logPath,
      background: true,
      ...(user && { user }),
    });
    let ended = false;
    void child.ended.then(() => {
      ended = true;
    });
    const settled = async () => ended || (await answers(urlAt(port)));
    const ready = await until(settled, START_DEADLINE_MS).catch(async (error: unknown) => {
      await stopServer(cluster, child.pid);
      throw error;
    });
    if (ready && !ended) return running(child.pid, port, false);
    await stopServer(cluster, child.pid);
    const end = await logEnd(options.logPath, from);
    const portTaken = ended && end.includes('could not bind');
    if (portTaken && options.port === undefined && attempt < PORT_ATTEMPTS) continue;
    throw new EmbeddedPostgresError(
      `PostgreSQL in ${folder} ${ended ? 'ended' : 'was not ready'} after its start. Its log ends with:\n${end}`,
    );
  }
}
