import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config, TargetConfig } from './config.js';
import { type Runbook, RunbookFile, targetOf } from './runbook/definition.js';
import { floorsOf, withFloors } from './runbook/policy.js';
import { type PlacedStep, relationProblems } from './runbook/relations.js';
import type { StepKind } from './runbook/step-kind.js';
import { type BlockParts, noParts, RunbookParts, type StepParts } from './runbook-parts.js';
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
  /**
   * Where steps do not fit together: `runbook check` refuses it. The bot starts all the same, for the step itself will
   * not run, and a team may have its backup elsewhere.
   */
  readonly unrelated: readonly string[];
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

type Kinds = ReadonlyMap<string, StepKind<TargetConfig>>;
type Path = readonly (string | number)[];

/** As loadRunbook, for a text. */
export function checkRunbook(
  file: string,
  text: string,
  kinds: Kinds,
  config: Pick<Config, 'targets' | 'approvers'> | null,
): LoadedRunbook {
  const source = readYaml(file, text);
  if (source.problems.length > 0) throw new RunbookError(file, source.problems);
  const parsed = RunbookFile.safeParse(source.value);
  const shape = parsed.success ? [] : issuesToProblems(source, parsed.error.issues);
  const parts = RunbookParts.safeParse(source.value).data ?? noParts;
  const problems = [...shape, ...partProblems(source, parts, kinds, config)];
  const unrelated = unrelatedSteps(source, parts, kinds);
  if (!parsed.success || problems.length > 0) throw new RunbookError(file, [...problems, ...unrelated]);
  const floors = floorsOf(config?.targets ?? {});
  return {
    runbook: withFloors(parsed.data, floors),
    digest: createHash('sha256').update(text).digest('hex'),
    unrelated,
  };
}

/** What the shape cannot say: kinds and their arguments, names that lead somewhere. */
function partProblems(
  source: YamlSource,
  parts: RunbookParts,
  kinds: Kinds,
  config: Pick<Config, 'targets' | 'approvers'> | null,
): string[] {
  const blocks = blocksOf(parts);
  return [
    ...blocks.flatMap(({ block, path }) => blockProblems(source, parts, block, path, kinds, config)),
    ...twice(source, 'phases', parts.phases),
    ...twice(source, 'operations', parts.operations),
    ...lossProblems(source, parts),
    ...parts.targets.flatMap((name, i) =>
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
}

/** Steps that demand of each other what is not there. */
function unrelatedSteps(source: YamlSource, parts: RunbookParts, kinds: Kinds): string[] {
  const placed = blocksOf(parts).flatMap((at) =>
    at.block.steps.map((step, i) => placeStep(parts, at, step, i, kinds)),
  );
  const { migration } = parts;
  const way = migration && { from: migration.from.split(', '), to: migration.to.split(', ') };
  return relationProblems(way, placed).map(({ path, message }) => problemAt(source, path, message));
}

interface PlacedBlock {
  readonly kind: 'phase' | 'operation' | 'rollback';
  readonly block: BlockParts;
  readonly path: Path;
}

function blocksOf(parts: RunbookParts): PlacedBlock[] {
  return [
    ...parts.phases.map((block, i): PlacedBlock => ({ kind: 'phase', block, path: ['phases', i] })),
    ...parts.operations.map(
      (block, i): PlacedBlock => ({ kind: 'operation', block, path: ['operations', i] }),
    ),
    { kind: 'rollback', block: parts.rollback, path: ['rollback'] },
  ];
}

function placeStep(
  parts: RunbookParts,
  { kind, block, path }: PlacedBlock,
  step: StepParts,
  index: number,
  kinds: Kinds,
): PlacedStep {
  const bound = step.with === null ? undefined : kinds.get(step.uses)?.bind(step.with);
  return {
    id: step.id,
    target: targetOf(parts, block, step),
    block: { kind, id: path.join('.') },
    path: [...path, 'steps', index],
    relations: bound?.ok === true ? bound.step.relations : null,
  };
}

function blockProblems(
  source: YamlSource,
  parts: RunbookParts,
  block: BlockParts,
  path: Path,
  kinds: Kinds,
  config: Pick<Config, 'approvers'> | null,
): string[] {
  const problems = twice(source, [...path, 'steps'].join('.'), block.steps, [...path, 'steps']);
  for (const [i, step] of block.steps.entries()) {
    problems.push(...stepProblems(source, parts, block, step, [...path, 'steps', i], kinds));
  }
  const changing = block.steps.find((step) => kinds.get(step.uses)?.changes === true);
  if (block.gate === 'none' && changing !== undefined) {
    const message = `step ${changing.id} changes its target, so this block needs a gate; expected a gate such as {approvals: 1}`;
    problems.push(problemAt(source, [...path, 'gate'], message));
  }
  problems.push(...programProblems(source, block, path, kinds));
  const list = block.gate === null || block.gate === 'none' ? undefined : block.gate.from;
  if (list !== undefined && config !== null && config.approvers[list] === undefined) {
    const known = Object.keys(config.approvers).join(', ');
    problems.push(problemAt(source, [...path, 'gate', 'from'], `expected an approver list (${known})`));
  }
  return problems;
}

/** A program may change anything, whatever its step's kind says: without an approval it runs only where it is named. */
function programProblems(
  source: YamlSource,
  block: BlockParts,
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
  parts: RunbookParts,
  block: BlockParts,
  step: StepParts,
  path: Path,
  kinds: Kinds,
): string[] {
  const problems: string[] = [];
  const { targets } = parts;
  if (targets.length > 0 && !targets.includes(targetOf(parts, block, step))) {
    const message = `expected one of the runbook's targets (${targets.join(', ')})`;
    problems.push(
      problemAt(source, step.on === undefined ? [...path.slice(0, -2), 'on'] : [...path, 'on'], message),
    );
  }
  // Told already, by the shape.
  if (step.uses === '') return problems;
  const kind = kinds.get(step.uses);
  if (kind === undefined) {
    const known = [...kinds.keys()].sort().join(', ');
    return [...problems, problemAt(source, [...path, 'uses'], `expected a step kind (${known})`)];
  }
  if (step.with === null) return problems;
  const bound = kind.bind(step.with);
  if (!bound.ok) {
    problems.push(
      ...bound.issues.map((issue) => problemAt(source, [...path, 'with', ...issue.path], issue.message)),
    );
  }
  return problems;
}

function lossProblems(source: YamlSource, { targets, rollback }: RunbookParts): string[] {
  return rollback.loss.flatMap(({ on }, i) =>
    on === undefined || targets.length === 0 || targets.includes(on)
      ? []
      : [
          problemAt(
            source,
            ['rollback', 'loss', i, 'on'],
            `expected one of the runbook's targets (${targets.join(', ')})`,
          ),
        ],
  );
}

function twice(source: YamlSource, what: string, items: readonly { id: string }[], path: Path = [what]) {
  return items.flatMap((item, i) =>
    item.id === '' || items.findIndex((other) => other.id === item.id) === i
      ? []
      : [problemAt(source, [...path, i, 'id'], `expected an id that is unique in ${what}`)],
  );
}
