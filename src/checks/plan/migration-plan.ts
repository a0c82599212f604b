import type { ExpectedDatabase } from '../../clients/alembic/observe.js';
import type { ObservedScript } from '../../clients/alembic/observed.js';
import type { ReportStep } from '../../clients/alembic/report.js';
import type { Direction } from '../../clients/alembic.js';
import type { VersionPlace } from '../../clients/postgres/revision.js';
import type { TableName } from '../../clients/sql/bookkeeping.js';
import type { Finding } from '../../runbook/events.js';

export type { Direction } from '../../clients/alembic.js';

/** One command of Alembic: a branch of its own each, where several revisions are wanted. */
export interface Leg {
  /** The revision that `alembic upgrade` or `downgrade` is given. */
  readonly to: string;
  /** Where the database is before it. */
  readonly from: readonly string[];
  readonly steps: readonly ReportStep[];
}

/** What Alembic would do, as read from the code, the environment and the database just now. */
export interface MigrationPlan {
  readonly direction: Direction;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly legs: readonly Leg[];
  readonly sql: PlannedScript;
  readonly place: VersionPlace;
  /** The schema of the version table as SQL names it; null where the search path finds it. */
  readonly versionSchema: string | null;
  readonly database: ExpectedDatabase;
  /** Null: the observer could not come to work, so nothing below was verified. */
  readonly observed: ObservedCode | null;
}

export type PlannedScript =
  | {
      readonly kind: 'printed';
      readonly text: string;
      readonly sha256: string;
      /** Statements that run by themselves or leave the transaction: when a later one fails, these stay. */
      readonly outside: readonly string[];
      readonly findings: readonly Finding[];
    }
  | { readonly kind: 'unprintable'; readonly why: string };

export interface ObservedCode {
  readonly versions: string;
  /** Every file that was read, by absolute path. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly package: string | null }>;
  readonly scripts: readonly ObservedScript[];
  /** Programs that Alembic starts: what they do is not in the SQL. */
  readonly programs: readonly (readonly string[])[];
  /** What a migration decides by that offline mode cannot answer. */
  readonly asks: readonly string[];
  /** env.py changes the database at each start (refused while only reading), in the server's words; or null. */
  readonly writesAtStart: string | null;
}

export function stepsOf(plan: Pick<MigrationPlan, 'legs'>): ReportStep[] {
  return plan.legs.flatMap((leg) => leg.steps);
}

/** The revisions that an upgrade would apply, or a downgrade would take back, in order. */
export function revisionsOf(plan: Pick<MigrationPlan, 'legs'>): string[] {
  return stepsOf(plan).map((step) => step.revision);
}

/** The version table as statements name it. */
export function versionName(plan: Pick<MigrationPlan, 'place' | 'versionSchema'>): TableName {
  return { schema: plan.versionSchema, table: plan.place.table };
}

/** SHA-256 by path of what an approval covers and Alembic may read again. */
export function approvedFiles(plan: MigrationPlan): Record<string, string> {
  const files = plan.observed?.files ?? new Map<string, { sha256: string }>();
  return Object.fromEntries([...files].map(([path, { sha256 }]) => [path, sha256]));
}
