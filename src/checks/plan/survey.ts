import type { TargetConfig } from '../../config.js';
import { shortLine } from '../../excerpt.js';
import type { ExecutedElsewhere } from '../../runbook/executed.js';
import type { PlannedSql } from '../../runbook/planned.js';
import type { PlanContext, Survey } from '../../runbook/step-kind.js';
import { listed, plural } from '../outcome.js';
import { sayRevisions } from '../revision.js';
import { executedBefore, incomplete, unprintedOf } from './baseline.js';
import type { CodeState } from './code.js';
import { coveredParts } from './covered.js';
import { keptStatements } from './executed.js';
import { type Direction, type MigrationPlan, revisionsOf } from './migration-plan.js';
import type { Planned, Plans } from './plans.js';
import { scriptText } from './script-text.js';

/** What an approval of a migration covers: its SQL, its revisions, everything that was read to work them out. */
export async function surveyOf(
  plans: Plans,
  direction: Direction,
  args: { readonly from: readonly string[]; readonly to: readonly string[] },
  context: PlanContext<TargetConfig>,
): Promise<Survey> {
  const planned = await plans.of(context.target, direction, args.from, args.to);
  if (planned.kind === 'failed') return { kind: 'failed', why: planned.why };
  return surveyed(plans, planned, context);
}

/** The same for a plan that is about to be carried out. */
export async function surveyed(
  plans: Pick<Plans, 'lint'>,
  { plan, code }: Extract<Planned, { kind: 'planned' }>,
  context: PlanContext<TargetConfig>,
): Promise<Extract<Survey, { kind: 'surveyed' }>> {
  const before = executedBefore(plan, context.elsewhere ?? []);
  const shown = before === null ? nothingBefore : await shownBefore(plans, plan, before);
  const revisions = revisionsOf(plan);
  const text = scriptText(plan, context.target.directory);
  return {
    kind: 'surveyed',
    parts: { ...coveredParts(plan, code, context.target.directory), ...shown.parts },
    sql: [
      {
        step: context.step.id,
        target: context.target.name,
        from: sayRevisions(plan.from),
        to: sayRevisions(plan.to),
        revisions,
        sql: text.sql,
        sha256: text.sha256,
        findings: plan.sql.kind === 'printed' ? [...plan.sql.findings] : [],
        ...shown.unprinted,
      },
    ],
    headline: [...unseen(plan, context), ...shown.headline],
    warnings: [...planWarnings(plan, context.redact), ...codeWarnings(code)],
  };
}

interface ShownBefore {
  readonly parts: Readonly<Record<string, string>>;
  readonly unprinted: Pick<PlannedSql, 'unprinted'>;
  readonly headline: readonly string[];
}

const nothingBefore: ShownBefore = { parts: {}, unprinted: {}, headline: [] };

/**
 * What an earlier target executed and the SQL does not show. What the SQL has is covered by it: where both steps are
 * of one block, there is nothing new to approve then.
 */
async function shownBefore(
  plans: Pick<Plans, 'lint'>,
  plan: MigrationPlan,
  before: ExecutedElsewhere,
): Promise<ShownBefore> {
  const { target, executed } = before;
  const gap = incomplete(before);
  const headline = gap === null ? [] : [`Not all that the SQL leaves out can be shown: ${gap}`];
  if (executed === null) return { ...nothingBefore, headline };
  const { statements, moved } = await unprintedOf(plan, executed);
  const kept = keptStatements(statements);
  const otherOrder = `${target} executed the statements of the SQL in another order`;
  return {
    parts: {
      ...(statements.length === 0 ? {} : { [`executed on ${target}, not in the SQL`]: kept.sha256 }),
      ...(moved ? { [`order on ${target}`]: executed.sha256 } : {}),
    },
    unprinted:
      statements.length === 0
        ? {}
        : {
            unprinted: [
              {
                target,
                statements: [...kept.statements],
                findings: [...(await plans.lint(statements.map((s) => `${s.text};`).join('\n')))],
              },
            ],
          },
    headline: [...headline, ...(moved ? [otherOrder] : [])],
  };
}

/** What cannot be shown before it runs, which an approver must read before everything else. */
export function unseen(
  plan: MigrationPlan,
  { target, redact }: Pick<PlanContext<TargetConfig>, 'target' | 'redact'>,
): string[] {
  const { observed, sql } = plan;
  if (observed === null) {
    return [
      `Alembic of ${target.name} could not be observed. Not verified: which database it changes, that the lock timeout holds, which files it reads, what it executes`,
    ];
  }
  const missing = revisionsOf(plan).filter((revision) => !scriptIsRead(plan, revision));
  return [
    ...(sql.kind === 'unprintable'
      ? [
          `The SQL of this migration cannot be printed before it runs: ${sql.why}. An approval covers its files by their content instead, listed with their digests in the file`,
        ]
      : []),
    ...(sql.kind === 'printed' && observed.asks.length > 0
      ? [
          `The migration decides by the database or by offline mode (${listed(observed.asks)}): it can execute more than the SQL shown here`,
        ]
      : []),
    ...(sql.kind === 'printed' && setsLockTimeout(sql.text)
      ? [
          'The migration sets lock_timeout itself: from there on a statement may wait longer than this request says',
        ]
      : []),
    ...(observed.programs.length > 0
      ? [
          `Alembic starts other programs, whose work is not in the SQL: ${listed(observed.programs.map((argv) => shortLine(argv.join(' '), longest, redact)))}`,
        ]
      : []),
    ...(missing.length > 0 ? [`The file of ${listed(missing)} was not found, so no approval covers it`] : []),
    ...(observed.writesAtStart === null
      ? []
      : [`env.py changes the database at each start (${observed.writesAtStart}), which is not in the SQL`]),
  ];
}

/** By SET, RESET or set_config; a comment that says so warns as well, and does no harm. */
export function setsLockTimeout(text: string): boolean {
  return /\b(?:set\s+(?:local\s+|session\s+)?|reset\s+)lock_timeout\b|set_config\s*\(\s*'lock_timeout'|\b(?:reset|discard)\s+all\b/i.test(
    text,
  );
}

function scriptIsRead(plan: MigrationPlan, revision: string): boolean {
  const script = plan.observed?.scripts.find((s) => s.revision === revision);
  return script !== undefined && plan.observed?.files.has(script.path) === true;
}

/** Of a statement or a program in a sentence, characters. */
const longest = 100;

/** What an approver must know about a plan. */
export function planWarnings(plan: MigrationPlan, redact: (text: string) => string): string[] {
  const revisions = revisionsOf(plan);
  const [outside, findings] = plan.sql.kind === 'printed' ? [plan.sql.outside, plan.sql.findings] : [[], []];
  const losses = findings.filter((f) => f.rank === 'data-loss');
  return [
    ...(outside.length === 0
      ? []
      : [
          `${plural(outside.length, 'statement')} outside the transaction: a failure half-way leaves what ran before (${shortLine(outside[0] ?? '', longest, redact)})`,
        ]),
    ...(revisions.length > 1
      ? [
          `${revisions.length} revisions would ${plan.direction === 'upgrade' ? 'run' : 'be taken back'}: ${listed(revisions)}`,
        ]
      : []),
    ...(losses.length > 0 && plan.direction === 'upgrade'
      ? [
          `${plural(losses.length, 'statement')} may lose data: ${shortLine(losses[0]?.statement ?? '', longest, redact)}`,
        ]
      : []),
  ];
}

function codeWarnings(code: CodeState): string[] {
  const { dirty } = code;
  return [
    ...(dirty.length === 0
      ? []
      : [
          `the code has changes that are not committed (${listed(dirty.slice(0, 5))}${dirty.length > 5 ? ', …' : ''})`,
        ]),
    ...(code.commit === null ? ['the code is not in a git repository, so no commit names it'] : []),
    ...(code.partial === null ? [] : [code.partial]),
  ];
}
