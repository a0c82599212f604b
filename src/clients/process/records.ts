import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  type ReadStream,
  readFileSync,
  renameSync,
  type WriteStream,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const childSchema = z.object({
  pid: z.int(),
  startTicks: z.int().nullable(),
  argv: z.array(z.string()),
  startedAt: z.iso.datetime(),
  host: z.string(),
  bootId: z.string().nullable(),
});

const exitSchema = z.object({
  kind: z.enum(['exited', 'timed_out', 'stopped', 'killed_by_signal', 'not_started']),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  endedAt: z.iso.datetime(),
  durationMs: z.number(),
});

/** What is written right after the spawn, for whoever looks after a crash. */
export type ChildRecord = z.infer<typeof childSchema>;
/** What is written when the end was seen. `endedAt` is ISO 8601, `durationMs` in milliseconds. */
export type ExitRecord = z.infer<typeof exitSchema>;

export interface ChildPaths {
  readonly folder: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly child: string;
  readonly exit: string;
}

/**
 * The files of one child. An id is a relative path such as `run-7/production.apply/1`.
 * @throws when the id could name a place outside the directory: that is a bug in the caller.
 */
export function childPaths(directory: string, id: string): ChildPaths {
  const segments = id.split('/');
  if (!segments.every((segment) => /^[\w.:@+-]+$/.test(segment) && !/^\.+$/.test(segment))) {
    throw new Error(`A child id is made of plain path segments; found ${JSON.stringify(id)}.`);
  }
  const folder = join(resolve(directory), ...segments);
  return {
    folder,
    stdout: join(folder, 'stdout'),
    stderr: join(folder, 'stderr'),
    child: join(folder, 'child.json'),
    exit: join(folder, 'exit.json'),
  };
}

/**
 * Makes the folder (0700) and opens both output files (0600) for the child to inherit. They are streams since
 * execa hands only streams with a descriptor to a child as they are, without a pipe in between.
 * @returns null when the id was used before: its output is evidence and is never overwritten.
 */
export async function openOutput(
  paths: ChildPaths,
): Promise<{ stdout: WriteStream; stderr: WriteStream; close(): void } | null> {
  if (existsSync(paths.stdout)) return null;
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
  const stdout = createWriteStream(paths.stdout, { flags: 'wx', mode: 0o600 });
  const stderr = createWriteStream(paths.stderr, { flags: 'wx', mode: 0o600 });
  await Promise.all([once(stdout, 'open'), once(stderr, 'open')]);
  return {
    stdout,
    stderr,
    close() {
      stdout.destroy();
      stderr.destroy();
    },
  };
}

/** Writes what a child is to read (0600) and opens it: a file as well, so that no pipe can break. */
export async function openInput(paths: ChildPaths, text: string): Promise<ReadStream> {
  const path = join(paths.folder, 'stdin');
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  const stream = createReadStream(path);
  await once(stream, 'open');
  return stream;
}

export function writeChild(paths: ChildPaths, record: ChildRecord): void {
  writeWhole(paths.child, record);
}

export function writeExit(paths: ChildPaths, record: ExitRecord): void {
  writeWhole(paths.exit, record);
}

export function readChild(paths: ChildPaths): ChildRecord | null {
  return readRecord(paths.child, childSchema);
}

export function readExit(paths: ChildPaths): ExitRecord | null {
  return readRecord(paths.exit, exitSchema);
}

/** Renames into place, so that a reader never meets half a record. */
function writeWhole(path: string, record: ChildRecord | ExitRecord): void {
  const part = `${path}.part`;
  writeFileSync(part, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(part, path);
}

function readRecord<T>(path: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new Error(`The record ${path} cannot be read.`, { cause: error });
  }
}
