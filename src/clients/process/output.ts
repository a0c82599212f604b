import { open } from 'node:fs/promises';

/**
 * Reads a file back as text, at most `maxBytes` of it: a longer one keeps its beginning and its end, with a
 * note between them that says what is left out and where the whole is.
 */
export async function readCut(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size <= maxBytes) return (await readRange(file, 0, size)).toString('utf8');
    const head = Math.floor(maxBytes / 2);
    const tail = maxBytes - head;
    const first = withoutBrokenEnds((await readRange(file, 0, head)).toString('utf8'));
    const last = withoutBrokenEnds((await readRange(file, size - tail, tail)).toString('utf8'));
    return `${first}\n[… ${size - maxBytes} bytes left out; the whole output is in ${path} …]\n${last}`;
  } finally {
    await file.close();
  }
}

/** The last `bytes` of a file as text; the empty string when there is no such file yet. */
export async function readTail(path: string, bytes: number): Promise<string> {
  const file = await openOrNull(path);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const text = (await readRange(file, size - length, length)).toString('utf8');
    return length < size ? withoutBrokenEnds(text) : text;
  } finally {
    await file.close();
  }
}

type OpenFile = Awaited<ReturnType<typeof open>>;

async function openOrNull(path: string): Promise<OpenFile | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function readRange(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** A cut can fall inside a character, which then decodes to U+FFFD. */
function withoutBrokenEnds(text: string): string {
  return text.replace(/^\uFFFD{1,3}|\uFFFD{1,3}$/g, '');
}
