import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { lastWords, readingId } from '../../clients/process/ids.js';
import type { Processes } from '../../clients/process.js';

export type ReadBack =
  | { readonly kind: 'read'; readonly rows: ReadonlyMap<string, number> }
  | { readonly kind: 'failed'; readonly evidence: string };

export interface ReadBackOptions {
  readonly processes: Processes;
  readonly id: string;
  readonly env: Readonly<Record<string, string>>;
  /** The archive, in pg_dump's own format. */
  readonly path: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Counts the rows that an archive would give back, by table. A count that was asked of the server says nothing
 * about the file, so the file itself is turned into SQL, which is read line by line and thrown away.
 */
export async function readBack(options: ReadBackOptions): Promise<ReadBack> {
  // Beside the archive: the rows are as confidential there as here, and its disk was found to have room.
  const script = `${options.path}.rows.part`;
  try {
    // pg_restore keeps the mode of a file that is there.
    await (await open(script, 'w', 0o600)).close();
    const result = await options.processes.run({
      id: readingId(options.id, 'rows'),
      argv: ['pg_restore', '--data-only', `--file=${script}`, options.path],
      cwd: '/',
      env: options.env,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
    });
    if (result.kind !== 'exited' || result.exitCode !== 0) {
      return { kind: 'failed', evidence: lastWords(result) || result.kind.replaceAll('_', ' ') };
    }
    return { kind: 'read', rows: await countCopied(createReadStream(script)) };
  } finally {
    await rm(script, { force: true });
  }
}

// https://www.postgresql.org/docs/15/sql-copy.html: a row is one line, as a line break inside is written `\n`,
// and a line that is just `\.` ends the rows, as a backslash inside is doubled.
const header = /^COPY ("(?:[^"]|"")*"|[^".\s]+)\.("(?:[^"]|"")*"|[^"\s(]+) .*FROM stdin;$/;

/** Counts the rows of each COPY of a script; the keys are as `tableKey` makes them. */
export async function countCopied(script: AsyncIterable<Buffer>): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  let table: string | null = null;
  for await (const line of lines(script)) {
    if (table === null) {
      const match = header.exec(line);
      if (match === null) continue;
      table = tableKey(plain(match[1] ?? ''), plain(match[2] ?? ''));
      rows.set(table, rows.get(table) ?? 0);
    } else if (line === '\\.') {
      table = null;
    } else {
      rows.set(table, (rows.get(table) ?? 0) + 1);
    }
  }
  return rows;
}

/** More than a COPY with the most columns a table can have; of a longer line, which is a row, the rest is left out. */
const lineBytes = 512 * 1_024;
const lineFeed = 10;

/** Lines end at line feeds alone: node:readline would also cut a row at a U+2028 inside. */
async function* lines(script: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of script) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8');
      parts = [];
      size = 0;
      start = end + 1;
    }
    if (size < lineBytes) parts.push(chunk.subarray(start));
    size += chunk.length - start;
  }
}

/** One text for two names, whatever they are made of. */
export function tableKey(schema: string, table: string): string {
  return JSON.stringify([schema, table]);
}

function plain(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}
