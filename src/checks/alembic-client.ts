import type { ReportStep } from '../clients/alembic/report.js';
import { type Alembic, createAlembic } from '../clients/alembic.js';
import type { Processes } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import { childUrl, commandEnvironment } from './environment.js';

/** Alembic as it runs for one target; `id` names the folder of its output. */
export function alembicFor(
  deps: { readonly processes: Processes },
  target: TargetConfig,
  applicationName: string,
  id: string,
): Alembic {
  return createAlembic({
    processes: deps.processes,
    directory: target.directory,
    env: commandEnvironment(target, applicationName),
    databaseUrl: childUrl(target.databaseUrl).url,
    applicationName,
    id,
  });
}

/** `021 -> 022`, as Alembic's own lines say it. */
export function sayStep(step: Pick<ReportStep, 'from' | 'to'>): string {
  const names = (revisions: readonly string[]) => (revisions.length === 0 ? 'nothing' : revisions.join(', '));
  return `${names(step.from)} -> ${names(step.to)}`;
}
