import { open, readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { NotedHead } from './heads.js';
import type { Head } from './verify.js';

/** Heads of the journal in a file outside the database. Lines are appended and never changed. */
export interface HeadsFile {
  /** Heads since people accepted the journal last, and when that was (ms since the epoch); null when never. */
  read(): Promise<{ readonly heads: readonly NotedHead[]; readonly acceptedAt: number | null }>;
  /** Notes where the journal ends now. */
  note(head: Head): Promise<void>;
  /** People have looked and take the journal as it is: what was noted before is not compared any more. */
  accept(head: Head, by: string, reason: string): Promise<void>;
}

const Line = z.object({
  at: z.iso.datetime(),
  position: z.int().min(0),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  accepted: z.object({ by: z.string(), reason: z.string() }).optional(),
});
type Line = z.infer<typeof Line>;

/** @param path its directory must exist */
export function createHeadsFile(path: string, now: () => number = Date.now): HeadsFile {
  async function append(line: Omit<Line, 'at'>): Promise<void> {
    // Appending only, so that replicas with one directory do not overwrite each other; on the disk before it counts.
    const file = await open(path, 'a', 0o600);
    try {
      const text = JSON.stringify({ at: new Date(now()).toISOString(), ...line });
      await file.appendFile(`${text}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  return {
    async read() {
      const lines = linesOf(await readFile(path, 'utf8').catch(absent));
      const last = lines.findLastIndex((line) => line.accepted !== undefined);
      const heads = lines
        .slice(last + 1)
        // The beginning of a journal has no event to compare.
        .filter(({ position }) => position > 0)
        .map(({ position, hash }): NotedHead => ({ position, hash, place: 'file' }));
      const accepted = lines[last];
      return { heads, acceptedAt: accepted === undefined ? null : Date.parse(accepted.at) };
    },
    note: ({ position, hash }) => append({ position, hash }),
    accept: ({ position, hash }, by, reason) => append({ position, hash, accepted: { by, reason } }),
  };
}

/** A line that a crash cut short is left out. */
function linesOf(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    try {
      return Line.parse(JSON.parse(line));
    } catch {
      return [];
    }
  });
}

function absent(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
  throw error;
}
