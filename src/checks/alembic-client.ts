import type { RevisionStep } from '../clients/alembic/output.js';
import { type Alembic, createAlembic } from '../clients/alembic.js';
import type { TargetConfig } from '../config.js';
import type { StepDeps } from './deps.js';
import { childUrl, commandEnvironment } from './environment.js';

/** Alembic as it runs for one target; `id` names the folder of its output. */
export function alembicFor(
  deps: Pick<StepDeps, 'processes'>,
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
export function sayStep(step: RevisionStep): string {
  return `${step.from ?? 'nothing'} -> ${step.to ?? 'nothing'}`;
}
