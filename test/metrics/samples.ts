import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Registry } from 'prom-client';
import { inject } from 'vitest';
import type { Refresher } from '../../src/metrics/refresh.js';

/** The value of a sample, written as in the text: `name` or `name{label="value"}`; undefined when it is absent. */
export function sampleOf(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

/** Names of all metrics of an exposition, by their TYPE lines. */
export function namesOf(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] ?? '');
}

/** What a scrape would show. */
export async function scraped(registry: Registry, refreshers: readonly Refresher[]): Promise<string> {
  await Promise.all(refreshers.map((refresher) => refresher.refresh()));
  return registry.metrics();
}

/** Runs promtool. @throws Error that says how to get it */
export function promtool(
  args: readonly string[],
  input = '',
): { readonly code: number | null; readonly output: string } {
  const file = inject('toolPath')
    .split(delimiter)
    .map((folder) => join(folder, 'promtool'))
    .find(isProgram);
  if (file === undefined) {
    throw new Error(
      'promtool was not found. `npm test` fetches it where apt is; elsewhere install Prometheus, which brings it.',
    );
  }
  const done = spawnSync(file, args, { input, encoding: 'utf8' });
  return { code: done.status, output: `${done.stdout}${done.stderr}` };
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
