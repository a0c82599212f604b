import { once } from 'node:events';

/** Where a command writes. */
export interface Output {
  line(text: string): void;
  error(text: string): void;
  /** Like `line`, but waits while the reader is slow; false once nobody reads any more. */
  stream(text: string): Promise<boolean>;
  /** Resolves when everything has left the process. */
  written(): Promise<void>;
}

export function createOutput(
  out: NodeJS.WriteStream = process.stdout,
  err: NodeJS.WriteStream = process.stderr,
): Output {
  let open = true;
  // A reader that leaves (`m10bot … | head`, a log collector that dies) is no reason to end.
  for (const stream of [out, err]) {
    stream.on('error', () => {
      if (stream === out) open = false;
    });
  }
  const drained = (stream: NodeJS.WriteStream) =>
    new Promise<void>((resolve) => stream.write('', () => resolve()));
  return {
    line: (text) => void out.write(`${text}\n`),
    error: (text) => void err.write(`${text}\n`),
    async stream(text) {
      if (!open) return false;
      if (!out.write(`${text}\n`)) {
        await once(out, 'drain').catch(() => {
          open = false;
        });
      }
      return open;
    },
    async written() {
      await Promise.all([drained(out), drained(err)]);
    },
  };
}
