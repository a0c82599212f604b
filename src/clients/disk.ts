import { randomUUID } from 'node:crypto';
import { open, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export type DiskResult =
  | {
      readonly kind: 'directory';
      /** What an ordinary user may still use; the reserve of root is not in it. */
      readonly freeBytes: number;
      readonly totalBytes: number;
      /** Null where the file system has no fixed number of inodes. */
      readonly freeInodes: number | null;
      /** Proven by a file that was made and removed. */
      readonly writable: boolean;
      /** Why nothing can be written, or null. */
      readonly problem: string | null;
    }
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'not_a_directory'; readonly path: string };

/** Reads the room that is left in a directory. */
export async function readDisk(path: string): Promise<DiskResult> {
  try {
    if (!(await stat(path)).isDirectory()) return { kind: 'not_a_directory', path };
  } catch (error) {
    if (isErrno(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return { kind: 'missing', path };
    throw error;
  }
  const facts = await statfs(path);
  const problem = await tryToWrite(path);
  return {
    kind: 'directory',
    freeBytes: facts.bavail * facts.bsize,
    totalBytes: facts.blocks * facts.bsize,
    freeInodes: facts.files === 0 ? null : facts.ffree,
    writable: problem === null,
    problem,
  };
}

/**
 * Why no file can be written to a directory, found out by writing one; null when it can.
 * @throws nothing
 */
export async function whyUnwritable(path: string): Promise<string | null> {
  try {
    const disk = await readDisk(path);
    if (disk.kind === 'directory') return disk.problem;
    return disk.kind === 'missing' ? 'there is no such directory' : 'it is not a directory';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Permission bits say nothing about a read-only mount, a quota or root: only writing does. */
async function tryToWrite(directory: string): Promise<string | null> {
  const probe = join(directory, `.m10-write-test-${randomUUID()}`);
  try {
    const file = await open(probe, 'wx', 0o600);
    try {
      // A full disk may show only when the bytes have to be there.
      await file.write('probe');
      await file.sync();
    } finally {
      await file.close();
      await unlink(probe);
    }
    return null;
  } catch (error) {
    if (isErrno(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

function isErrno(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
