import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TargetConfig } from '../../src/config.js';
import { createRedactor } from '../../src/redact.js';
import { defineKind, type StepKind } from '../../src/runbook/step-kind.js';
import { createElsewhere } from '../../src/runner/elsewhere.js';
import { createPlanner } from '../../src/runner/plan.js';
import type { TargetReader } from '../../src/runner/ports.js';

export const password = 'correct-horse';
export const { redact, redactDeep } = createRedactor([password]);
export const digest = (text: string) => createHash('sha256').update(text).digest('hex');

export function target(name: string, change: Partial<TargetConfig> = {}): TargetConfig {
  return {
    name,
    databaseUrl: `postgresql://u@127.0.0.1/${name}`,
    redisUrl: null,
    directory: '/srv/app',
    env: { PATH: '/usr/bin' },
    metricsUrl: null,
    gate: { approvals: 1, expires: 60_000 },
    ...change,
  };
}

export const targetsOf = (change: Partial<TargetConfig> = {}) => ({
  staging: target('staging', change),
  production: target('production', change),
});

/** Targets that never change by themselves, so that what a plan depends on can be changed one by one. */
export const still: TargetReader = {
  state: async ({ name }) => ({ target: name, summary: 'at a', revision: 'a', reachable: true }),
  identityParts: async ({ name }) => ({ database: name, revision: 'a' }),
};

/** The two kinds of the sample runbook; `code` stands for what a migration's approval covers. */
export function kindsWith(behaviour: Partial<Parameters<typeof defineKind<TargetConfig, unknown>>[0]> = {}) {
  const args = z.unknown();
  const describe = () => ({ words: 'Does it.', commands: ['do it'] });
  const run = async () => ({ result: 'passed' as const, summary: 'done' });
  const kinds: StepKind<TargetConfig>[] = [
    defineKind({ name: 'check', changes: false, args, describe, run }),
    defineKind({ name: 'change', changes: true, args, describe, run, ...behaviour }),
  ];
  return new Map(kinds.map((kind) => [kind.name, kind]));
}

/** Nothing is kept beside the journal. */
export const elsewhere = createElsewhere({ readKept: async () => null, digest });

export const plannerOf = (
  targets: Readonly<Record<string, TargetConfig>>,
  kinds = kindsWith(),
  reader = still,
) => createPlanner({ config: { targets }, kinds, targets: reader, digest, redact });
