import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { commandEnvironment } from '../../checks/environment.js';
import { failed, passed, plural, sized } from '../../checks/outcome.js';
import { createBackup } from '../../clients/backup.js';
import type { TargetConfig } from '../../config.js';
import type { Outcome, StepContext } from '../../runbook/step-kind.js';
import { sayTrouble } from '../backup/trouble.js';
import { readBack, tableKey } from './read-back.js';

const Rows = z.record(z.string(), z.int());
const Counts = z.union([
  z.strictObject({
    rows: Rows,
    /** By table; see `markRows`. */
    marks: z.record(z.string(), z.string()),
  }),
  // As a version that kept no marks wrote it.
  Rows.transform((rows) => ({ rows, marks: {} as Record<string, string> })),
]);
/** Rows and their marks by table, read on the snapshot of which the archive is made. */
export type Counts = z.infer<typeof Counts>;

/** Lies beside the archive, so that a file found after a crash can be held against it. */
export function countsPath(path: string): string {
  return `${path}.json`;
}

/** @returns why the counts could not be written, or null */
export async function keepCounts(path: string, counts: Counts): Promise<string | null> {
  const options = { mode: 0o600, flag: 'wx' };
  return writeFile(countsPath(path), `${JSON.stringify(counts)}\n`, options).then(
    () => null,
    (error) => `the folder cannot be written to (${error instanceof Error ? error.message : String(error)})`,
  );
}

export interface Proven {
  /** `interrupted`: nothing was learnt about the file. */
  readonly kind: 'good' | 'bad' | 'interrupted';
  readonly outcome: Outcome;
}

/** Reads a finished archive to its end, and counts its rows: they must be as many as the server counted. */
export async function proveArchive(
  deps: StepDeps,
  context: StepContext<TargetConfig>,
  schema: string,
  path: string,
): Promise<Proven> {
  const { target, applicationName, signal } = context;
  const { name } = target;
  const { processes } = deps;
  const env = commandEnvironment(target, applicationName);
  const timeoutMs = context.step.timeout;
  const backups = createBackup({
    processes,
    id: context.childId,
    env,
    databaseUrl: target.databaseUrl,
    applicationName,
  });
  const trouble = (kind: 'bad' | 'interrupted', why: string, output = ''): Proven => ({
    kind,
    outcome: failed(`${name} was not archived: ${why}`, { output }),
  });
  const proof = await backups.prove(path, { timeoutMs, signal });
  if (proof.kind !== 'readable') {
    return trouble(proof.kind === 'failed' ? 'interrupted' : 'bad', sayTrouble(proof));
  }
  const { rows, marks } = Counts.parse(JSON.parse(await readFile(countsPath(path), 'utf8')));
  const back = await readBack({ processes, id: context.childId, env, path, timeoutMs, signal });
  if (back.kind === 'failed') {
    return trouble('interrupted', 'its rows could not be counted in the file', back.evidence);
  }
  const differing = Object.entries(rows).flatMap(([table, counted]) => {
    const held = back.rows.get(tableKey(schema, table));
    return held === counted
      ? []
      : [`${table} has ${plural(counted, 'row')}, the file ${held ?? 'none at all'}`];
  });
  if (differing.length > 0) return trouble('bad', differing.join('; '));

  const { bytes, sha256 } = proof;
  const total = Object.values(rows).reduce((sum, n) => sum + n, 0);
  const each = Object.entries(rows).map(([table, n]) => `${table} ${n}`);
  const outcome = passed(`${plural(total, 'row')} of ${name} kept in ${sized(bytes)}: ${each.join(', ')}`, {
    output: [
      path,
      `${bytes} bytes`,
      `sha256 ${sha256}`,
      '',
      ...each,
      '',
      'The rows were counted in the file once more. To bring them back into tables that are there and empty:',
      `pg_restore --data-only --single-transaction --dbname=… ${path}`,
      'To bring the tables back with their rows, where the schema is there and the tables are not:',
      `pg_restore --single-transaction --dbname=… ${path}`,
    ].join('\n'),
    data: { path, bytes, sha256, schema, rows, marks },
  });
  return { kind: 'good', outcome };
}
