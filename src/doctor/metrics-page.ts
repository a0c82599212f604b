import { plural } from '../checks/outcome.js';
import { readMetrics } from '../clients/metrics.js';
import type { TargetConfig } from '../config.js';
import { type Runbook, targetOf } from '../runbook/definition.js';
import { attention, type Check, fine, problem } from './finding.js';

const timeoutMs = 10_000;

/**
 * The backend's metrics page: it answers, with samples. Where a step of the runbook reads it, a page that does not is
 * a problem, since the run would stop there; otherwise it is a warning.
 */
export function metricsCheck(target: TargetConfig, url: string, runbook: () => Runbook | null): Check {
  const what = `metrics of ${target.name}`;
  return {
    what,
    async run() {
      const read = await readMetrics(url, timeoutMs);
      if (read.kind === 'read' && read.samples.length > 0) {
        return [fine(what, plural(read.samples.length, 'sample'))];
      }
      const facts =
        read.kind === 'unreachable'
          ? `${url} cannot be read: ${read.message}`
          : read.kind === 'refused'
            ? `${url} answers ${read.status}: ${read.message}`
            : `${url} answers without a single sample`;
      const todo = `start the backend, or correct targets.${target.name}.metrics-url`;
      return [
        readBySteps(target.name, runbook()) ? problem(what, facts, todo) : attention(what, facts, todo),
      ];
    },
  };
}

function readBySteps(target: string, runbook: Runbook | null): boolean {
  if (runbook === null) return false;
  return [...runbook.phases, ...runbook.operations, runbook.rollback].some((block) =>
    block.steps.some((step) => step.uses === 'http.metrics' && targetOf(runbook, block, step) === target),
  );
}
