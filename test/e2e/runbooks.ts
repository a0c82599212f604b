import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { type Block, Runbook, type Step } from '../../src/runbook/definition.js';
import { revisions } from '../../workspace/backend/variants.js';
import { repositoryRoot } from '../../workspace/services/tools.js';

/** Runbooks of a test file, each a file of its own, gone after `close`. */
export interface Shelf {
  readonly directory: string;
  write(runbook: Runbook): Promise<string>;
  close(): Promise<void>;
}

export async function openShelf(): Promise<Shelf> {
  const directory = await mkdtemp(join(tmpdir(), 'm10-runbooks-'));
  return {
    directory,
    async write(runbook) {
      const file = join(directory, `${randomBytes(4).toString('hex')}.yml`);
      await writeFile(file, stringify(asWritten(runbook), { aliasDuplicateObjects: false }));
      return file;
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The runbook as a file has it: a run keeps durations in milliseconds, a file writes their unit. */
function asWritten(runbook: Runbook): unknown {
  return JSON.parse(JSON.stringify(runbook), (key, value) =>
    (key === 'timeout' || key === 'expires') && typeof value === 'number' ? `${value}ms` : value,
  );
}

/** The steps of the 022 runbook that cost seconds and are looked at by the tests of the happy run. */
const slowOnes = [
  'preflight.redis-script',
  'staging.leader-election',
  'staging.chaos',
  'production.reconcile',
  'production.refresh-matview',
  'production.matview-status',
  'production.metrics',
];

/** The 022 runbook without its slow steps, and what `change` makes of each of the others; null leaves it out. */
export async function short022(change: (step: Step) => Step | null = (step) => step): Promise<Runbook> {
  const file = join(await repositoryRoot(), 'runbooks', '022_m10_production_hardening.yml');
  const whole = Runbook.parse(parse(await readFile(file, 'utf8')));
  const shorter = <B extends Block>(block: B): B => {
    const steps = block.steps
      .filter((step) => !slowOnes.includes(step.id))
      .flatMap((step) => change(withoutProgram(step)) ?? []);
    const named = (block['without-approval'] ?? []).filter((id) => steps.some((step) => step.id === id));
    return { ...block, steps, 'without-approval': named.length === 0 ? undefined : named };
  };
  return {
    ...whole,
    phases: whole.phases.map(shorter),
    operations: whole.operations.map(shorter),
    rollback: shorter(whole.rollback),
  };
}

/** Alembic takes a second to say what the table says at once. */
function withoutProgram(step: Step): Step {
  if (step.uses !== 'alembic.current') return step;
  const { program: _, ...rest } = step.with;
  return { ...step, with: rest };
}

export interface StepInput {
  readonly id: string;
  readonly uses: string;
  readonly on?: 'staging' | 'production';
  readonly with?: Record<string, unknown>;
}

/** A phase of the given steps; on staging, and with one approval, unless told otherwise. */
export function phase(
  id: string,
  steps: readonly StepInput[],
  rest: { readonly on?: 'staging' | 'production'; readonly gate?: 'none'; readonly expires?: string } = {},
) {
  const { on = 'staging', gate, expires = '30m' } = rest;
  return {
    id,
    title: `The phase ${id}`,
    on,
    gate: gate ?? { approvals: 1, expires },
    steps: steps.map((step) => ({ title: `The step ${step.id}`, ...step })),
  };
}

/** A check that passes in a few milliseconds: the target stands before the hardening. */
export const look = (id: string): StepInput => ({
  id,
  uses: 'alembic.current',
  with: { revision: revisions.before },
});

/** Counts as a change and writes one line into a file, so that its runs can be counted. */
export function leaveMark(id: string, file: string, seconds = 0): StepInput {
  const script = `echo begun >> "$1"; sleep "$2"; echo done >> "$1"`;
  return {
    id,
    uses: 'command.change',
    with: { argv: ['/bin/sh', '-c', script, 'sh', file, String(seconds)] },
  };
}

/** The real upgrade of one target. */
export const apply = (on: 'staging' | 'production'): StepInput => ({
  id: `${on}.apply`,
  uses: 'alembic.upgrade',
  on,
  with: { from: revisions.before, to: revisions.hardening, 'lock-timeout': '5s', backup: 'none' },
});

const downgrade = (on: 'staging' | 'production'): StepInput => ({
  id: `rollback.${on}`,
  uses: 'alembic.downgrade',
  on,
  with: { from: revisions.hardening, to: revisions.before, 'lock-timeout': '3s' },
});

/** A runbook of these phases, after a preflight of one look, with the real rollback and the backup. */
export function cheap(phases: readonly ReturnType<typeof phase>[]): Runbook {
  return Runbook.parse({
    runbook: 'cheap',
    title: 'A cheap runbook',
    targets: ['staging', 'production'],
    migration: { from: revisions.before, to: revisions.hardening },
    phases: [phase('preflight', [look('preflight.staging')], { gate: 'none' }), ...phases],
    operations: [
      phase('backup', [{ id: 'backup.take', uses: 'postgres.backup', with: { label: 'on_demand' } }], {
        on: 'production',
      }),
    ],
    rollback: phase('rollback', [downgrade('production'), downgrade('staging')]),
  });
}
