import { createHash, randomBytes } from 'node:crypto';
import { chown, lstat, mkdir, open, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { reachable, type ServerUser } from './embeddedBinaries.js';

/** A server program to start; argv only, no shell. */
export interface ServerProgram {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Account to switch to; only given when we are root. */
  readonly user?: ServerUser;
  /** File that output and errors are appended to, opened before the account is switched. */
  readonly logPath: string;
  /** True for a server: it does not keep our event loop alive. False for a program whose end is awaited. */
  readonly background: boolean;
}

/**
 * Starts a program in its own process group (a Ctrl-C at the terminal must not reach it) and lets it outlive
 * us. Rejects when it cannot be started. Passed in because src/clients/process.ts alone starts children.
 */
export type StartProgram = (
  program: ServerProgram,
) => Promise<{ readonly pid: number; readonly ended: Promise<{ readonly exitCode: number | undefined }> }>;

export interface EmbeddedPostgresOptions {
  /** Folder for the cluster, its password and, where needed, readable copies of the programs. Kept. */
  readonly dataDirectory: string;
  /** TCP port on 127.0.0.1; a free one when left out. */
  readonly port?: number;
  readonly logPath: string;
  readonly start: StartProgram;
  /** Server settings (`-c name=value`). */
  readonly settings?: Readonly<Record<string, string>>;
  /** False only for trials: no fsync, so a power cut may destroy the cluster. */
  readonly durable?: boolean;
  /** Where the data goes when root's server account cannot enter `dataDirectory`; that becomes a link. */
  readonly reachableRoot?: string;
  /** Folder of the PostgreSQL programs, for tests; the installed package's by default. */
  readonly programs?: string;
}

/** PostgreSQL could not be set up or started; the message ends with the end of its log. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/** Whether anything has this name, a link that leads nowhere included. */
export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Creates the folder that holds everything, in a place that the server's account can enter. */
export async function home(options: EmbeddedPostgresOptions, user: ServerUser | undefined): Promise<string> {
  const wanted = resolve(options.dataDirectory);
  if (await exists(wanted)) return realpath(wanted);
  await mkdir(dirname(wanted), { recursive: true });
  let folder = wanted;
  if (user && !(await reachable(dirname(wanted), user, 1))) {
    // A clone below /root, say: its parents are closed to every other account.
    const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
    folder = join(options.reachableRoot ?? '/var/lib/m10bot', digest);
    await mkdir(dirname(folder), { recursive: true, mode: 0o711 });
    await symlink(folder, wanted);
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (user) await chown(folder, user.uid, user.gid);
  return realpath(folder);
}

/** The last lines that were written to a log after its byte `from`. */
export async function logEnd(path: string, from: number): Promise<string> {
  const text = (await readFile(path).catch(() => Buffer.alloc(0))).subarray(from).toString('utf8');
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

export const passwordFile = (folder: string) => join(folder, 'password');
export const clusterFolder = (folder: string) => join(folder, 'cluster');

/** Makes a new cluster and its password. */
export async function initialise(
  folder: string,
  initdb: string,
  options: EmbeddedPostgresOptions,
  user?: ServerUser,
) {
  const file = await open(passwordFile(folder), 'w', 0o600);
  await file.writeFile(`${randomBytes(24).toString('base64url')}\n`);
  await file.close();
  // initdb reads the file under the server's account.
  if (user) await chown(passwordFile(folder), user.uid, user.gid);
  const partial = `${clusterFolder(folder)}.partial`;
  await rm(partial, { recursive: true, force: true });
  const from = (await stat(options.logPath).catch(() => undefined))?.size ?? 0;
  const run = await options.start({
    file: initdb,
    args: [
      ...[`--pgdata=${partial}`, '--username=postgres', `--pwfile=${passwordFile(folder)}`],
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-instructions'],
      ...(options.durable === false ? ['--no-sync'] : []),
    ],
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    cwd: folder,
    logPath: options.logPath,
    background: false,
    ...(user && { user }),
  });
  if ((await run.ended).exitCode !== 0) {
    throw new EmbeddedPostgresError(
      `PostgreSQL's initdb failed in ${folder}:\n${await logEnd(options.logPath, from)}`,
    );
  }
  // The name appears only when the cluster is whole, so that a killed initdb is simply done again.
  await rename(partial, clusterFolder(folder));
}
