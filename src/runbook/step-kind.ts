import type { z } from 'zod';
import type { Runbook, Step } from './definition.js';
import type { EventOf, PlannedSql, StepResult } from './events.js';
import type { Executed, ExecutedElsewhere } from './executed.js';
import type { Relations } from './relations.js';

/** What a step may know while it is only described or surveyed. */
export interface PlanContext<Target> {
  readonly runbook: Runbook;
  readonly step: Step;
  readonly target: Target;
  /** What steps of this run that passed executed on other targets, oldest first; absent outside a run. */
  readonly elsewhere?: readonly ExecutedElsewhere[];
  /** Text without secrets: whoever shortens a text applies it first. The runner applies it to what comes back. */
  redact(text: string): string;
}

/** What a step knows while it runs. */
export interface StepContext<Target> extends PlanContext<Target> {
  readonly run: number;
  readonly attempt: number;
  /** When this attempt began, by the journal's clock; ms since the epoch. */
  readonly startedAt: number;
  /** Names the folder of a child's output, such as `run-7/phase.production/apply/2-5e1c9a70b3d2f846`. */
  readonly childId: string;
  /**
   * The beginning of the hash of the event that started this attempt: in the name of every file by which the attempt
   * is known again, since numbers of runs are given out again when the state database is replaced.
   */
  readonly mark: string;
  /** Marks every database session of this attempt in `pg_stat_activity`; at most 63 bytes. */
  readonly applicationName: string;
  /** Aborted by a lost lease, `/m10 stop now` or a shutdown that must not wait. */
  readonly signal: AbortSignal;
  /** What an earlier step of this run left for later ones, such as a backup's path. */
  dataOf(step: string): EventOf<'StepFinished'>['data'] | undefined;
  /** The person whose command led here. */
  readonly requester: string;
  /** The approval that this step runs under; null when its block needs none. */
  readonly approval: { readonly gate: number; readonly approvers: readonly string[] } | null;
  /**
   * How a survey of now differs from what was approved for this step, one line each; empty when it does not, or
   * when no approval covers it.
   */
  drift(survey: Extract<Survey, { kind: 'surveyed' }>): string[];
}

export interface Outcome {
  readonly result: StepResult;
  /** One line for people: what is true now. */
  readonly summary: string;
  /** Output worth reading; the publisher cuts it and attaches the whole. */
  readonly output?: string;
  readonly outputFile?: string;
  readonly data?: EventOf<'StepFinished'>['data'];
  /** The statements that the step really sent; redacted and cut by the runner. */
  readonly executed?: Executed;
  /** Warnings that are shown with the result and at the end of the run. */
  readonly notes?: readonly string[];
}

/** What a target says about an action that was interrupted. */
export type Probe =
  | { readonly kind: 'done'; readonly outcome: Outcome }
  | { readonly kind: 'not_done'; readonly evidence: string }
  | { readonly kind: 'running'; readonly evidence: string }
  | {
      readonly kind: 'unknown';
      readonly evidence: string;
      /** What it is known to have executed all the same. */
      readonly execution?: Pick<Outcome, 'executed' | 'notes'>;
    };

/** What a step adds to a gate beyond its words: parts of the fingerprint, SQL, warnings. */
export type Survey =
  | {
      readonly kind: 'surveyed';
      readonly parts: Readonly<Record<string, string>>;
      readonly sql: readonly PlannedSql[];
      readonly warnings: readonly string[];
      /** What cannot be shown or verified before the approval: said at the top of the request. */
      readonly headline?: readonly string[];
    }
  | { readonly kind: 'failed'; readonly why: string };

/** A step's arguments, read and bound to its kind. */
export interface BoundStep<Target> {
  /** What it demands of other steps. */
  readonly relations: Relations;
  describe(context: PlanContext<Target>): { words: string; commands: string[] };
  survey?(context: PlanContext<Target>): Promise<Survey>;
  run(context: StepContext<Target>): Promise<Outcome>;
  probe?(context: StepContext<Target>): Promise<Probe>;
}

export interface ArgumentIssue {
  /** Keys below `with`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface StepKind<Target> {
  readonly name: string;
  /** Whether the step can change its target. A changing kind has a probe. */
  readonly changes: boolean;
  /** That it changes nothing is only promised: the step starts a program of the team's own. */
  readonly promised: boolean;
  /** `run` itself holds what it is about to do against the approval, with the very plan that it carries out. */
  readonly holdsApproval: boolean;
  readonly args: z.ZodType;
  bind(args: unknown): { ok: true; step: BoundStep<Target> } | { ok: false; issues: ArgumentIssue[] };
}

/**
 * Defines a step kind from its argument schema and its functions, which then receive parsed arguments.
 */
export function defineKind<Target, A>(kind: {
  name: string;
  changes: boolean;
  promised?: boolean;
  holdsApproval?: boolean;
  args: z.ZodType<A>;
  relations?(args: A): Relations;
  describe(args: A, context: PlanContext<Target>): { words: string; commands: string[] };
  survey?(args: A, context: PlanContext<Target>): Promise<Survey>;
  run(args: A, context: StepContext<Target>): Promise<Outcome>;
  probe?(args: A, context: StepContext<Target>): Promise<Probe>;
}): StepKind<Target> {
  const { survey, probe } = kind;
  return {
    name: kind.name,
    changes: kind.changes,
    promised: kind.promised ?? false,
    holdsApproval: kind.holdsApproval ?? false,
    args: kind.args,
    bind(raw) {
      const parsed = kind.args.safeParse(raw);
      if (!parsed.success) return { ok: false, issues: parsed.error.issues.flatMap(toIssues) };
      const args = parsed.data;
      return {
        ok: true,
        step: {
          relations: kind.relations?.(args) ?? {},
          describe: (context) => kind.describe(args, context),
          run: (context) => kind.run(args, context),
          ...(survey === undefined ? {} : { survey: (context) => survey(args, context) }),
          ...(probe === undefined ? {} : { probe: (context) => probe(args, context) }),
        },
      };
    },
  };
}

function toIssues(issue: z.core.$ZodIssue): ArgumentIssue[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'this argument is not known here' }));
  }
  return [{ path, message: issue.message }];
}
