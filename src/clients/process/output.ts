import { open } from 'node:fs/promises';

/**
 * Reads a file back as text, at most `maxBytes` of it: a longer one keeps its beginning and its end, with a
 * note between them that says what is left out and where the whole is. Lines stay whole where they are not longer
 * than that, since half of a password is not recognised by anybody.
 */
export async function readCut(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size <= maxBytes) return (await readRange(file, 0, size)).toString('utf8');
    const head = Math.floor(maxBytes / 2);
    const tail = maxBytes - head;
    const first = wholeLinesAtStart(await readRange(file, 0, head));
    const last = wholeLinesAtEnd(await readRange(file, size - tail, tail));
    const left = size - first.length - last.length;
    return `${textOf(first)}\n[… ${left} bytes left out; the whole output is in ${path} …]\n${textOf(last)}`;
  } finally {
    await file.close();
  }
}

/** The last whole lines of a file as text, at most `bytes`, part of a line that is longer; the empty string when there is no such file yet. */
export async function readTail(path: string, bytes: number): Promise<string> {
  const file = await openOrNull(path);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const read = await readRange(file, size - length, length);
    return length < size ? textOf(wholeLinesAtEnd(read)) : read.toString('utf8');
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

const LINE_END = 0x0a;

function wholeLinesAtStart(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf(LINE_END);
  return end <= 0 ? bytes : bytes.subarray(0, end);
}

function wholeLinesAtEnd(bytes: Buffer): Buffer {
  const start = bytes.indexOf(LINE_END) + 1;
  return start === bytes.length ? bytes : bytes.subarray(start);
}

/** A cut can fall inside a character of a long line, which then decodes to U+FFFD. */
function textOf(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/^\uFFFD{1,3}|\uFFFD{1,3}$/g, '');
}
