import type { Config, TargetConfig } from '../config.js';
import type { NotAsked } from '../runbook/command.js';
import { type Block, type Runbook, type Step, targetOf } from '../runbook/definition.js';
import type { Plan, PlannedSql, PlannedStep, PlannedTarget } from '../runbook/events.js';
import type { ExecutedElsewhere } from '../runbook/executed.js';
import { type Digest, type Fingerprint, fingerprintOf } from '../runbook/fingerprint.js';
import type { BoundStep, PlanContext } from '../runbook/step-kind.js';
import type { Kinds, TargetReader } from './ports.js';

/** What would run, and the fingerprint of exactly that. */
export type Planned =
  | { readonly kind: 'planned'; readonly plan: Plan; readonly fingerprint: Fingerprint }
  | { readonly kind: 'failed'; readonly why: string }
  /** A target could not be read, such as a database that is away: nothing is known of what would run. */
  | NotAsked;

export interface StepToPlan {
  readonly block: Block;
  readonly step: Step;
  /** Said before the step's words, such as "skipped:" for the step that a skip leaves out. */
  readonly prefix?: string;
}

/** What a plan knows of the run that it is made for. */
export interface PlannedFor {
  /** Parts that the approval covers besides. */
  readonly parts: Readonly<Record<string, string>>;
  /** What the run has executed on targets other than the named one. */
  readonly elsewhere: (target: string) => Promise<readonly ExecutedElsewhere[]>;
}

/** Somebody who ends the bot ends what it has started as well. */
export interface HarmOfEnd {
  readonly what: string;
  readonly todo: string;
  /** Changes must not begin before that is mended. */
  readonly forbids: boolean;
}

export interface Planner {
  plan(
    runbook: Runbook,
    runbookDigest: string,
    steps: readonly StepToPlan[],
    of?: PlannedFor,
  ): Promise<Planned>;
  /** The step bound to its kind, or why it cannot be. */
  bind(step: Step): BoundStep<TargetConfig> | { readonly problem: string };
  /** Whether the step's kind holds what it does against the approval by itself. */
  holdsApproval(step: Step): boolean;
}

/**
 * Plans steps: describes each one, reads each target's identity and revision, and lets the steps say what
 * else an approval must cover. Called when a gate opens and again right before it is spent.
 */
export function createPlanner(deps: {
  readonly config: Pick<Config, 'targets'>;
  readonly kinds: Kinds;
  readonly targets: TargetReader;
  readonly digest: Digest;
  readonly redact: (text: string) => string;
  /** What an end of the bot does to a change; asked for each plan, since it may have been corrected meanwhile. */
  readonly harmOfEnd?: () => Promise<HarmOfEnd | null>;
}): Planner {
  const { config, kinds, digest, redact, harmOfEnd = async () => null } = deps;

  function bind(step: Step): BoundStep<TargetConfig> | { problem: string } {
    const kind = kinds.get(step.uses);
    if (kind === undefined) return { problem: `step ${step.id} uses ${step.uses}, which does not exist` };
    const bound = kind.bind(step.with);
    if (bound.ok) return bound.step;
    const issues = bound.issues.map((i) => `${['with', ...i.path].join('.')}: ${i.message}`);
    return { problem: `step ${step.id}: ${issues.join('; ')}` };
  }

  /**
   * Everything else that a command on this target is given. Redacted before it is digested: a digest of a short
   * password gives it away, and a password that was changed is no other plan.
   */
  function configurationOf({ directory, env, redisUrl, redisCa, metricsUrl }: TargetConfig): string {
    const given = [
      directory,
      redisUrl,
      ...(redisCa === undefined ? [] : [redisCa]),
      metricsUrl,
      ...Object.entries(env).sort(),
    ];
    return digest(redact(JSON.stringify(given)));
  }

  async function readTargets(names: readonly string[]) {
    const parts: Record<string, string> = {};
    const planned: PlannedTarget[] = [];
    await Promise.all(
      names.map(async (name) => {
        const target = config.targets[name];
        if (target === undefined) throw new Error(`target ${name} is not in the configuration`);
        const [identity, state] = await Promise.all([
          deps.targets.identityParts(target),
          deps.targets.state(target),
        ]);
        for (const [key, value] of Object.entries(identity)) parts[`${name}: ${key}`] = value;
        parts[`${name}: configuration`] = configurationOf(target);
        planned.push({
          target: name,
          database: redact(identity.database ?? ''),
          revision: state.revision,
        });
      }),
    );
    return { parts, planned: names.flatMap((n) => planned.filter((p) => p.target === n)) };
  }

  return {
    bind,
    holdsApproval: (step) => kinds.get(step.uses)?.holdsApproval ?? false,
    async plan(runbook, runbookDigest, steps, of) {
      const parts: Record<string, string> = { ...of?.parts, runbook: runbookDigest };
      const planned: PlannedStep[] = [];
      const sql: PlannedSql[] = [];
      const warnings: string[] = [];
      const headline: string[] = [];
      const surveys: Promise<string | null>[] = [];
      const changed = new Set<string>();
      for (const { block, step, prefix } of steps) {
        const name = targetOf(runbook, block, step);
        const target = config.targets[name];
        if (target === undefined)
          return { kind: 'failed', why: `target ${name} is not in the configuration` };
        const bound = bind(step);
        if ('problem' in bound) return { kind: 'failed', why: bound.problem };
        const context: PlanContext<TargetConfig> = {
          runbook,
          step,
          target,
          redact,
          ...(of === undefined ? {} : { elsewhere: await of.elsewhere(name) }),
        };
        const described = bound.describe(context);
        const commands = described.commands.map(redact);
        planned.push({
          id: step.id,
          title: step.title,
          target: name,
          uses: step.uses,
          changes: kinds.get(step.uses)?.changes ?? true,
          words: redact(prefix === undefined ? described.words : `${prefix} ${described.words}`),
          commands,
        });
        parts[`step ${step.id}`] = digest(JSON.stringify([step.uses, name, step.with, commands]));
        const changes = kinds.get(step.uses)?.changes ?? true;
        // What a check finds behind a change cannot be known before the change.
        const readsLater = !changes && changed.has(name);
        if (changes && prefix === undefined) changed.add(name);
        if (bound.survey !== undefined && prefix === undefined && !readsLater) {
          surveys.push(
            bound.survey(context).then((survey) => {
              if (survey.kind === 'failed') return `${step.id}: ${survey.why}`;
              for (const [key, value] of Object.entries(survey.parts)) parts[`${step.id}: ${key}`] = value;
              sql.push(...survey.sql.map((s) => redactSql(s, redact)));
              headline.push(...(survey.headline ?? []).map((h) => redact(`${step.id}: ${h}`)));
              warnings.push(...survey.warnings.map((w) => redact(`${step.id}: ${w}`)));
              return null;
            }),
          );
        }
      }
      if (changed.size > 0) {
        const harm = await harmOfEnd();
        if (harm?.forbids === true) return { kind: 'failed', why: `${harm.what}; ${harm.todo}` };
        if (harm !== null) headline.push(`${harm.what}; ${harm.todo}`);
      }
      try {
        const names = [...new Set(planned.map((s) => s.target))];
        const [read, ...problems] = await Promise.all([readTargets(names), ...surveys]);
        const problem = problems.find((p) => p !== null);
        if (problem !== undefined && problem !== null) return { kind: 'failed', why: redact(problem) };
        Object.assign(parts, read.parts);
        const top = headline.length === 0 ? {} : { headline: headline.sort() };
        const order = new Map(planned.map((s, i) => [s.id, i]));
        sql.sort((a, b) => (order.get(a.step) ?? 0) - (order.get(b.step) ?? 0));
        return {
          kind: 'planned',
          plan: { steps: planned, targets: read.planned, sql, warnings: warnings.sort(), ...top },
          fingerprint: fingerprintOf(redactParts(parts, redact), digest),
        };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { kind: 'not_asked', why: redact(why), retryAfterMs: replanMs };
      }
    },
  };
}

/** How soon after a target could not be read the plan is worked out again, ms. */
const replanMs = 5_000;

/** Every text of it but the digest, which must stay that of the whole. */
function redactSql(planned: PlannedSql, redact: (text: string) => string): PlannedSql {
  const found = (findings: PlannedSql['findings']) =>
    findings.map((each) => ({ ...each, statement: redact(each.statement), message: redact(each.message) }));
  const { unprinted } = planned;
  return {
    ...planned,
    sql: redact(planned.sql),
    findings: found(planned.findings),
    ...(unprinted === undefined
      ? {}
      : {
          unprinted: unprinted.map((each) => ({
            ...each,
            statements: each.statements.map((one) => ({ ...one, text: redact(one.text) })),
            findings: found(each.findings),
          })),
        }),
  };
}

function redactParts(parts: Record<string, string>, redact: (text: string) => string) {
  return Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, redact(value)]));
}
