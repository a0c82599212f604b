import { firstWords } from '../excerpt.js';

/** One sample of a metrics page. */
export interface MetricSample {
  /** The full name, `_bucket`, `_sum` and `_count` included. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type MetricsResult =
  | {
      readonly kind: 'read';
      readonly samples: readonly MetricSample[];
      readonly malformed: readonly MalformedLine[];
    }
  | { readonly kind: 'unreachable'; readonly message: string }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string };

/** A line that is neither a comment nor a sample. */
export interface MalformedLine {
  readonly line: number;
  readonly text: string;
}

const MAX_BYTES = 16 * 1_024 * 1_024;

/** Fetches a metrics page and reads its samples. A redirect counts as refused, since it leads to a login. */
export async function readMetrics(url: string, timeoutMs: number): Promise<MetricsResult> {
  if (!URL.canParse(url)) return { kind: 'unreachable', message: 'The address is not a URL.' };
  try {
    const response = await fetch(url, {
      headers: { accept: 'text/plain;version=0.0.4' },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await readBody(response);
    if (!response.ok) {
      return {
        kind: 'refused',
        status: response.status,
        message: firstWords(text, 300) || response.statusText,
      };
    }
    if (text.length >= MAX_BYTES) {
      return { kind: 'refused', status: response.status, message: 'The page is longer than 16 MiB.' };
    }
    return { kind: 'read', ...parseMetrics(text) };
  } catch (error) {
    return { kind: 'unreachable', message: causeOf(error, timeoutMs) };
  }
}

/**
 * Parses the text format: https://prometheus.io/docs/instrumenting/exposition_formats/. HELP and TYPE lines are
 * never samples, so a metric that is only described is absent.
 */
export function parseMetrics(text: string): { samples: MetricSample[]; malformed: MalformedLine[] } {
  const samples: MetricSample[] = [];
  const malformed: MalformedLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const sample = parseSample(line);
    if (sample === null) malformed.push({ line: index + 1, text: firstWords(line, 200) });
    else samples.push(sample);
  }
  return { samples, malformed };
}

/** The samples of a metric whose labels include the given ones. */
export function findSamples(
  samples: readonly MetricSample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): MetricSample[] {
  return samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
}

function parseSample(line: string): MetricSample | null {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0];
  if (name === undefined) return null;
  let rest = line.slice(name.length).trimStart();
  const labels: Record<string, string> = Object.create(null);
  if (rest.startsWith('{')) {
    rest = rest.slice(1).trimStart();
    while (!rest.startsWith('}')) {
      const label = /^([a-zA-Z_]\w*)\s*=\s*"((?:\\.|[^"\\])*)"\s*(,\s*|(?=\}))/.exec(rest);
      if (label?.[1] === undefined || label[2] === undefined) return null;
      labels[label[1]] = label[2].replace(/\\(.)/g, (_whole, character: string) =>
        character === 'n' ? '\n' : character,
      );
      rest = rest.slice(label[0].length);
    }
    rest = rest.slice(1).trimStart();
  } else if (line[name.length] !== ' ' && line[name.length] !== '\t') {
    return null;
  }
  // An exemplar, after #, belongs to the OpenMetrics form of the format.
  const [value, timestamp, ...more] = rest
    .replace(/\s#\s.*$/, '')
    .trim()
    .split(/\s+/);
  const number = numberOf(value ?? '');
  if (number === null || more.length > 0 || (timestamp !== undefined && numberOf(timestamp) === null))
    return null;
  return { name, labels, value: number };
}

function numberOf(text: string): number | null {
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

/** Reads no more than the limit, whatever the server sends. */
async function readBody(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  if (response.body === null) return text;
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_BYTES) break;
  }
  return text;
}

function causeOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `No answer within ${timeoutMs} ms.`;
  // fetch says "fetch failed" and keeps the reason for itself.
  const cause = error.cause instanceof Error ? error.cause.message || String(error.cause) : '';
  const code = error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : '';
  return cause || code || error.message;
}
