import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config, TargetConfig } from './config.js';
import { type Block, Runbook, type Step, targetOf } from './runbook/definition.js';
import { floorsOf, withFloors } from './runbook/policy.js';
import type { StepKind } from './runbook/step-kind.js';
import { issuesToProblems, problemAt, readYaml, type YamlSource } from './yaml-source.js';

/** Every mistake of a runbook at once. */
export class RunbookError extends Error {
  override readonly name = 'RunbookError';
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
  ) {
    super(`${file} has ${problems.length} problem(s):\n${problems.map((p) => `- ${p}`).join('\n')}`);
  }
}

export interface LoadedRunbook {
  /** With what the configured targets ask of gates, when there is a configuration. */
  readonly runbook: Runbook;
  /** SHA-256 of the file's bytes. */
  readonly digest: string;
}

/**
 * Reads and checks a runbook: its shape, its step kinds and their arguments, its references.
 * @param targets names of the configured targets; null when there is no configuration to hold it against
 * @throws RunbookError with every mistake, each with file, line, key, what was found and what is expected
 */
export function loadRunbook(
  file: string,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
  config: Pick<Config, 'targets' | 'approvers'> | null,
): LoadedRunbook {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RunbookError(file, [`the file cannot be read: ${why}`]);
  }
  return checkRunbook(file, text, kinds, config);
}

export function checkRunbook(
  file: string,
  text: string,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
  config: Pick<Config, 'targets' | 'approvers'> | null,
): LoadedRunbook {
  const source = readYaml(file, text);
  if (source.problems.length > 0) throw new RunbookError(file, source.problems);
  const parsed = Runbook.safeParse(source.value);
  if (!parsed.success) throw new RunbookError(file, issuesToProblems(source, parsed.error.issues));
  const runbook = parsed.data;
  const problems = [
    ...placedBlocks(runbook).flatMap(({ block, path }) =>
      blockProblems(source, runbook, block, path, kinds, config),
    ),
    ...twice(source, 'phases', runbook.phases),
    ...twice(source, 'operations', runbook.operations),
    ...lossProblems(source, runbook),
    ...runbook.targets.flatMap((name, i) =>
      config === null || config.targets[name] !== undefined
        ? []
        : [
            problemAt(
              source,
              ['targets', i],
              `expected a configured target (${Object.keys(config.targets).join(', ')})`,
            ),
          ],
    ),
  ];
  if (problems.length > 0) throw new RunbookError(file, problems);
  const floors = floorsOf(config?.targets ?? {});
  return { runbook: withFloors(runbook, floors), digest: createHash('sha256').update(text).digest('hex') };
}

type Path = readonly (string | number)[];

function placedBlocks(runbook: Runbook): { block: Block; path: Path }[] {
  return [
    ...runbook.phases.map((block, i) => ({ block, path: ['phases', i] })),
    ...runbook.operations.map((block, i) => ({ block, path: ['operations', i] })),
    { block: runbook.rollback, path: ['rollback'] },
  ];
}

function blockProblems(
  source: YamlSource,
  runbook: Runbook,
  block: Block,
  path: Path,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
  config: Pick<Config, 'approvers'> | null,
): string[] {
  const problems = twice(source, [...path, 'steps'].join('.'), block.steps, [...path, 'steps']);
  for (const [i, step] of block.steps.entries()) {
    problems.push(...stepProblems(source, runbook, block, step, [...path, 'steps', i], kinds));
  }
  const changing = block.steps.find((step) => kinds.get(step.uses)?.changes === true);
  if (block.gate === 'none' && changing !== undefined) {
    const message = `step ${changing.id} changes its target, so this block needs a gate; expected a gate such as {approvals: 1}`;
    problems.push(problemAt(source, [...path, 'gate'], message));
  }
  problems.push(...programProblems(source, block, path, kinds));
  const list = block.gate === 'none' ? undefined : block.gate.from;
  if (list !== undefined && config !== null && config.approvers[list] === undefined) {
    const known = Object.keys(config.approvers).join(', ');
    problems.push(problemAt(source, [...path, 'gate', 'from'], `expected an approver list (${known})`));
  }
  return problems;
}

/** A program may change anything, whatever its step's kind says: without an approval it runs only where it is named. */
function programProblems(
  source: YamlSource,
  block: Block,
  path: Path,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
): string[] {
  const key = 'without-approval';
  const named = block[key] ?? [];
  const programs = block.steps.filter((step) => kinds.get(step.uses)?.promised === true);
  const unnamed = block.gate === 'none' ? programs.filter((step) => !named.includes(step.id)) : [];
  return [
    ...unnamed.map((step) =>
      problemAt(
        source,
        [...path, 'steps', block.steps.indexOf(step), 'uses'],
        `step ${step.id} starts a program, and nothing makes sure that it only reads; expected a gate for this block, or ${key}: [${step.id}] in it`,
      ),
    ),
    ...named.flatMap((id, i) =>
      block.gate === 'none' && programs.some((step) => step.id === id)
        ? []
        : [
            problemAt(
              source,
              [...path, key, i],
              block.gate === 'none'
                ? `expected a step of this block that starts a program (${programs.map((s) => s.id).join(', ') || 'there is none'})`
                : 'expected no such key in a block with a gate, whose approval covers its programs',
            ),
          ],
    ),
  ];
}

function stepProblems(
  source: YamlSource,
  runbook: Runbook,
  block: Block,
  step: Step,
  path: Path,
  kinds: ReadonlyMap<string, StepKind<TargetConfig>>,
): string[] {
  const problems: string[] = [];
  const target = targetOf(runbook, block, step);
  if (!runbook.targets.includes(target)) {
    const message = `expected one of the runbook's targets (${runbook.targets.join(', ')})`;
    problems.push(
      problemAt(source, step.on === undefined ? [...path.slice(0, -2), 'on'] : [...path, 'on'], message),
    );
  }
  const kind = kinds.get(step.uses);
  if (kind === undefined) {
    const known = [...kinds.keys()].sort().join(', ');
    return [...problems, problemAt(source, [...path, 'uses'], `expected a step kind (${known})`)];
  }
  const bound = kind.bind(step.with);
  if (!bound.ok) {
    problems.push(
      ...bound.issues.map((issue) => problemAt(source, [...path, 'with', ...issue.path], issue.message)),
    );
  }
  return problems;
}

function lossProblems(source: YamlSource, runbook: Runbook): string[] {
  return runbook.rollback.loss.flatMap((meter, i) =>
    runbook.targets.includes(meter.on)
      ? []
      : [
          problemAt(
            source,
            ['rollback', 'loss', i, 'on'],
            `expected one of the runbook's targets (${runbook.targets.join(', ')})`,
          ),
        ],
  );
}

function twice(source: YamlSource, what: string, items: readonly { id: string }[], path: Path = [what]) {
  return items.flatMap((item, i) =>
    items.findIndex((other) => other.id === item.id) === i
      ? []
      : [problemAt(source, [...path, i, 'id'], `expected an id that is unique in ${what}`)],
  );
}
