import { plural } from '../checks/outcome.js';
import { sqlParser } from '../clients/sql/parser.js';
import type { TargetConfig } from '../config.js';
import { loadRunbook, RunbookError } from '../load-runbook.js';
import { blocksOf, ungatedPrograms } from '../runbook/definition.js';
import type { StepKind } from '../runbook/step-kind.js';
import type { Output } from './output.js';

/** Reads a runbook without any connection and says what it holds, or everything that is wrong with it. */
export async function checkRunbookFile(
  file: string,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
  output: Output,
): Promise<number> {
  // SQL of steps is read by PostgreSQL's parser, which has to be there before.
  await sqlParser();
  try {
    const { runbook, digest, unrelated } = loadRunbook(file, kinds, null);
    if (unrelated.length > 0) throw new RunbookError(file, unrelated);
    const blocks = blocksOf(runbook);
    const steps = blocks.flatMap((block) => block.steps);
    const changing = steps.filter((step) => kinds.get(step.uses)?.changes === true).length;
    const gates = blocks.filter((block) => block.gate !== 'none').length;
    const counts = [
      plural(runbook.phases.length, 'phase'),
      plural(runbook.operations.length, 'operation'),
      `${plural(steps.length, 'step')} (${changing} of them change something)`,
      plural(gates, 'gate'),
    ];
    output.line(`OK ${file}: ${runbook.title}`);
    output.line(`   ${runbook.migration.from} → ${runbook.migration.to} on ${runbook.targets.join(', ')}`);
    output.line(`   ${counts.join(', ')}; digest ${digest.slice(0, 16)}`);
    for (const step of ungatedPrograms(runbook)) {
      output.line(`   starts a program without an approval: ${step.id} (${step.title})`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof RunbookError)) throw error;
    for (const each of error.problems) output.error(each);
    output.error(`${file} has ${plural(error.problems.length, 'problem')}.`);
    return 1;
  }
}
