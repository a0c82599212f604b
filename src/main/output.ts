import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';

/** Keeps long outputs of steps under the state directory, and reads them back for the channel. */
export interface Outputs {
  /** @returns the file's place, relative to the state directory */
  keep(childId: string, text: string): Promise<string>;
  /** The text of a kept output, redacted already; null when the file is gone. */
  read(path: string): Promise<string | null>;
  /** The same, however long it is: for what the bot itself reads. */
  readWhole(path: string): Promise<string | null>;
}

/** The most that is read back for Slack, bytes. */
const mostRead = 5 * 2 ** 20;

export function createOutputs(directory: string): Outputs {
  /** Null outside of the state directory. */
  function placeOf(path: string): string | null {
    const relative = normalize(path);
    return isAbsolute(relative) || relative.startsWith('..') ? null : join(directory, relative);
  }

  return {
    async keep(childId, text) {
      const path = join('output', `${childId.replaceAll('/', '_')}.txt`);
      const file = join(directory, path);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeFile(file, text, { mode: 0o600 });
      return path;
    },
    async readWhole(path) {
      const file = placeOf(path);
      return file === null ? null : readFile(file, 'utf8').catch(() => null);
    },
    async read(path) {
      const file = placeOf(path);
      if (file === null) return null;
      try {
        const { size } = await stat(file);
        if (size <= mostRead) return await readFile(file, 'utf8');
        const handle = await open(file);
        try {
          const { buffer, bytesRead } = await handle.read(Buffer.alloc(mostRead), 0, mostRead, 0);
          const text = buffer.subarray(0, bytesRead).toString('utf8');
          return `${text}\n… ${size - bytesRead} bytes left out; the whole is in ${path} on the bot's machine …\n`;
        } finally {
          await handle.close();
        }
      } catch {
        return null;
      }
    },
  };
}
