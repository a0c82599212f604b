import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../src/config.js';
import { ConfigFile } from '../../src/config-file.js';
import { jobNames } from '../../src/runbook/jobs/names.js';

const env = {
  M10_CONFIG: 'm10.example.yml',
  SLACK_BOT_TOKEN: 'xoxb-1',
  SLACK_APP_TOKEN: 'xapp-1',
  STAGING_DATABASE_URL: 'postgresql://m10:staging-secret@staging.internal:5432/backend',
  STAGING_REDIS_URL: 'redis://:staging-redis@staging.internal:6379/0',
  PRODUCTION_DATABASE_URL: 'postgresql://m10:production-secret@production.internal:5432/backend',
  PRODUCTION_REDIS_URL: 'rediss://:production-redis@production.internal:6379/0',
  WEBHOOK_SECRET: 'a-secret-that-signs-events',
};

test('the example is a configuration without a problem, and its runbook exists', () => {
  const config = loadConfig(env);
  expect(Object.keys(config.targets)).toEqual(['staging', 'production']);
  expect(config.targets.production?.gate).toEqual({ approvals: 1, from: 'dba', expires: 1_800_000 });
  expect(config.secrets).toContain('production-secret');
  expect(config.runbook).toBe(resolve('runbooks/022_m10_production_hardening.yml'));
  expect(readFileSync(config.runbook, 'utf8')).toMatch(/^runbook: 022/m);
});

test('it shows every key there is', () => {
  const schema = z.toJSONSchema(ConfigFile, { io: 'input', unrepresentable: 'any' });
  const shown = keysOf(parse(readFileSync('m10.example.yml', 'utf8')));
  const known = keysInSchema(schema);
  expect(known.length).toBeGreaterThan(20);
  // What every job has is shown at one of them; a test report is nothing that a job writes.
  const common = (key: string) =>
    key.replace(/^jobs\.[a-z-]+\.(?=(schedule|timezone|timeout|command|dry-run)\b)/, 'jobs.*.');
  const unusual = /^jobs\.[*a-z-]+\.command\.expect\.junit\b/;
  const missing = known.filter((key) => !shown.has(common(key)) && !unusual.test(key));
  expect(missing).toEqual([]);
});

test('and no secret', () => {
  const text = readFileSync('m10.example.yml', 'utf8');
  expect(text.match(/(?:database|redis)-url: .*/g)).toHaveLength(4);
  for (const line of text.match(/(?:database|redis)-url: .*/g) ?? [])
    expect(line).toMatch(/-url: \$\{\w+\}$/);
});

const Node = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
});

/** Paths of keys, with `*` for names of one's own and places in lists. */
function keysInSchema(schema: unknown, path = ''): string[] {
  const node = Node.safeParse(schema).data;
  if (node === undefined) return [];
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([key, inner]) => [
      `${path}${key}`,
      ...keysInSchema(inner, `${path}${key}.`),
    ]),
    ...keysInSchema(node.additionalProperties, `${path}*.`),
    ...keysInSchema(node.items, `${path}*.`),
  ];
}

function keysOf(value: unknown, path: readonly string[] = []): Set<string> {
  if (typeof value !== 'object' || value === null) return new Set();
  return new Set(
    Object.entries(value).flatMap(([key, inner]) =>
      // Names of one's own stand for any: both spellings of each key are noted.
      [key, '*'].flatMap((name) => [[...path, name].join('.'), ...keysOf(inner, [...path, name])]),
    ),
  );
}

test('it retires the five timers of M10’s own deployment, by the names of the jobs', () => {
  const { jobs } = loadConfig(env);
  const units = jobs?.retire.flat().filter((word) => word.endsWith('.timer'));
  expect(units).toEqual(jobNames.map((job) => `m10-${job}.timer`));
});
