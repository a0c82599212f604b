import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { plural } from '../../checks/outcome.js';
import type { MarkedTable } from '../../clients/alembic/observe.js';
import type { TargetConfig } from '../../config.js';
import { blocksOf } from '../../runbook/definition.js';
import type { Outcome, StepContext } from '../../runbook/step-kind.js';
import { ArchiveArgs, archive } from '../postgres-archive.js';

const Data = z.object({
  schema: z.string(),
  path: z.string(),
  rows: z.record(z.string(), z.int()),
  marks: z.record(z.string(), z.string()),
});

export type Archived =
  /** `path`: null where there was nothing to archive. */
  | { readonly kind: 'archived'; readonly path: string | null; readonly tables: readonly MarkedTable[] }
  | { readonly kind: 'failed'; readonly why: string; readonly output: string };

/** What an earlier step of this run archived. One that was made before marks were kept is made anew. */
export async function archivedBy(
  deps: StepDeps,
  step: string,
  context: StepContext<TargetConfig>,
): Promise<Archived> {
  const data = context.dataOf(step);
  if (data === undefined) {
    const why = `the step ${step} has archived nothing in this run, and the downgrade drops what it should have kept`;
    return { kind: 'failed', why, output: '' };
  }
  if (Object.keys(data).length === 0) return { kind: 'archived', path: null, tables: [] };
  return tablesOf(data) ?? archiveAnew(deps, step, context, 0);
}

/** Takes the archive of a step once more, with the rows of now. */
export async function archiveAnew(
  deps: StepDeps,
  step: string,
  context: StepContext<TargetConfig>,
  attempt: number,
): Promise<Archived> {
  const found = blocksOf(context.runbook)
    .flatMap((block) => block.steps)
    .find((each) => each.id === step && each.uses === 'postgres.archive');
  const args = ArchiveArgs.safeParse(found?.with);
  if (!args.success) {
    return { kind: 'failed', why: `the step ${step} is no postgres.archive of this runbook`, output: '' };
  }
  const childId = `${context.childId}/archive-${attempt}`;
  // Two attempts may fall into one second, and a file is never written over.
  const own = { ...context.step, id: `${context.step.id}.again-${attempt}` };
  const outcome: Outcome = await archive(deps, args.data, { ...context, childId, step: own });
  if (outcome.result !== 'passed') {
    return { kind: 'failed', why: outcome.summary, output: outcome.output ?? '' };
  }
  return tablesOf(outcome.data ?? {}) ?? { kind: 'archived', path: null, tables: [] };
}

function tablesOf(data: Readonly<Record<string, unknown>>): Archived | null {
  const read = Data.safeParse(data);
  if (!read.success) return null;
  const { schema, path, rows, marks } = read.data;
  const tables = Object.entries(rows).map(([name, count]) => ({
    schema,
    name,
    rows: count,
    mark: marks[name] ?? '',
  }));
  return { kind: 'archived', path, tables };
}

/** How much was archived, for the result of what drops it. */
export function sayArchived(tables: readonly MarkedTable[]): string {
  return plural(
    tables.reduce((sum, table) => sum + table.rows, 0),
    'row',
  );
}
