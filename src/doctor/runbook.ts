import { plural } from '../checks/outcome.js';
import type { Config } from '../config.js';
import { type LoadedRunbook, RunbookError } from '../load-runbook.js';
import { type Check, fine, problem } from './finding.js';

export type RunbookLook =
  | { readonly kind: 'loaded'; readonly loaded: LoadedRunbook }
  | { readonly kind: 'broken'; readonly problems: readonly string[] };

/** Reads the runbook; its mistakes are a value, since other checks go on without it. */
export function lookAtRunbook(load: () => LoadedRunbook): RunbookLook {
  try {
    return { kind: 'loaded', loaded: load() };
  } catch (error) {
    if (error instanceof RunbookError) return { kind: 'broken', problems: error.problems };
    throw error;
  }
}

/** The runbook's file: every mistake on a line of its own. */
export function runbookCheck(config: Pick<Config, 'runbook'>, look: () => RunbookLook): Check {
  const what = `runbook ${config.runbook}`;
  return {
    what,
    async run() {
      const seen = look();
      if (seen.kind === 'broken') return seen.problems.map((each) => problem(what, each, 'correct the file'));
      const { runbook } = seen.loaded;
      const steps = [...runbook.phases, ...runbook.operations, runbook.rollback].flatMap(
        (b) => b.steps,
      ).length;
      return [
        fine(what, `${runbook.runbook}, ${plural(runbook.phases.length, 'phase')}, ${plural(steps, 'step')}`),
      ];
    },
  };
}
