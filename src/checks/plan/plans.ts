import { createHash } from 'node:crypto';
import type { RevisionStep } from '../../clients/alembic/output.js';
import type { TargetConfig } from '../../config.js';
import type { Finding } from '../../runbook/events.js';
import { alembicFor, sayStep } from '../alembic-client.js';
import type { StepDeps } from '../deps.js';
import { type CodeState, readCode } from './code.js';
import { findingsOf } from './findings.js';

export type Direction = 'upgrade' | 'downgrade';

/** What Alembic says beforehand that it would send, for one state of the code. */
export interface MigrationPlan {
  readonly direction: Direction;
  readonly from: string;
  readonly to: string;
  readonly steps: readonly RevisionStep[];
  readonly sql: string;
  readonly sha256: string;
  /** Statements that run by themselves or leave the transaction: when a later one fails, these stay. */
  readonly outside: readonly string[];
  readonly findings: readonly Finding[];
}

export type Planned =
  | { readonly kind: 'planned'; readonly plan: MigrationPlan; readonly code: CodeState }
  | { readonly kind: 'failed'; readonly why: string };

export interface Plans {
  of(target: TargetConfig, direction: Direction, from: string, to: string): Promise<Planned>;
}

type Made = Extract<Planned, { kind: 'failed' }> | { readonly kind: 'made'; readonly plan: MigrationPlan };

/**
 * Plans migrations. `alembic --sql` takes about a second and depends on the code and its settings alone, so a
 * plan is kept for as long as the digest of both stays what it was.
 */
export function createPlans(deps: Pick<StepDeps, 'processes'>): Plans {
  const made = new Map<string, Promise<Made>>();
  let runs = 0;

  async function make(target: TargetConfig, direction: Direction, from: string, to: string): Promise<Made> {
    runs += 1;
    const alembic = alembicFor(deps, target, 'm10bot:plan', `plans/${process.pid}-${Date.now()}-${runs}`);
    const printed = await (direction === 'upgrade' ? alembic.sql(from, to) : alembic.downgradeSql(from, to));
    if (printed.kind !== 'sql') {
      const why = `Alembic could not print what the ${direction} from ${from} to ${to} would run (${printed.evidence})`;
      return { kind: 'failed', why };
    }
    const { sql, steps, shape } = printed;
    if (steps.length === 0) {
      return { kind: 'failed', why: `the ${direction} from ${from} to ${to} would run nothing` };
    }
    const linted = await findingsOf(deps, sql);
    if (linted.kind === 'failed') return linted;
    const outside = [...new Set([...shape.outside, ...shape.concurrent].map((s) => s.text))];
    const plan: MigrationPlan = {
      direction,
      from,
      to,
      steps,
      sql,
      sha256: createHash('sha256').update(sql).digest('hex'),
      outside: shape.transactions > 1 && outside.length === 0 ? ['COMMIT in the middle'] : outside,
      findings: linted.findings,
    };
    return { kind: 'made', plan };
  }

  return {
    async of(target, direction, from, to) {
      const code = await readCode(deps, target);
      if (code.kind === 'failed') return code;
      const key = createHash('sha256')
        .update(JSON.stringify([target.directory, target.env, code.code.digest, direction, from, to]))
        .digest('hex');
      let plan = made.get(key);
      if (plan === undefined) {
        plan = make(target, direction, from, to);
        made.set(key, plan);
        // A failure may pass: the next question is asked anew.
        void plan.then(
          (result) => result.kind === 'failed' && made.delete(key),
          () => made.delete(key),
        );
      }
      const result = await plan;
      return result.kind === 'failed' ? result : { kind: 'planned', plan: result.plan, code: code.code };
    },
  };
}

/** The revisions that an upgrade would apply, or a downgrade would take back, in order. */
export function revisionsOf(plan: MigrationPlan): string[] {
  return plan.steps.map((step) => (plan.direction === 'upgrade' ? step.to : step.from) ?? sayStep(step));
}
