import { createHash } from 'node:crypto';
import { headsAfter } from '../../clients/alembic/heads.js';
import type { ExpectedDatabase } from '../../clients/alembic/observe.js';
import { migrationContext, type Observed } from '../../clients/alembic/observed.js';
import type { Alembic, PrintResult, ReadResult } from '../../clients/alembic.js';
import { readExpectedDatabase } from '../../clients/postgres/expected.js';
import type { TableName } from '../../clients/sql/bookkeeping.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import { transactionShape } from '../../clients/sql/transactions.js';
import type { TargetConfig } from '../../config.js';
import type { Finding } from '../../runbook/events.js';
import { alembicFor } from '../alembic-client.js';
import type { StepDeps } from '../deps.js';
import { sayRevisions } from '../revision.js';
import { explain, withSession } from '../session.js';
import { type CodeState, readCode } from './code.js';
import { databaseProblem } from './database.js';
import { findingsOf } from './findings.js';
import type { Direction, Leg, MigrationPlan, ObservedCode, PlannedScript } from './migration-plan.js';

export type Planned =
  | { readonly kind: 'planned'; readonly plan: MigrationPlan; readonly code: CodeState }
  | { readonly kind: 'failed'; readonly why: string };

export interface Plans {
  /**
   * Works a plan out, anew at each call: it depends on code, environment, target and the rows that env.py reads,
   * and whoever asks wants to know what is so now. Calls that are under way together share one answer.
   */
  of(
    target: TargetConfig,
    direction: Direction,
    from: readonly string[],
    to: readonly string[],
  ): Promise<Planned>;
  /** What the linter finds in further SQL; nothing where it could not look. */
  lint(sql: string): Promise<readonly Finding[]>;
}

type Failed = { readonly kind: 'failed'; readonly why: string };

export function createPlans(
  deps: Pick<StepDeps, 'processes' | 'revisions' | 'config' | 'workDirectory'>,
): Plans {
  const underWay = new Map<string, Promise<Planned>>();
  let runs = 0;

  async function make(
    target: TargetConfig,
    direction: Direction,
    from: readonly string[],
    to: readonly string[],
  ): Promise<Planned> {
    const targets = targetsOf(direction, from, to);
    if (targets.length === 0) {
      const why = `there is nothing to ${direction}: ${sayRevisions(to)} holds no revision that ${sayRevisions(from)} does not`;
      return { kind: 'failed', why };
    }
    const session = { applicationName: 'm10bot:plan' };
    const expected = await withSession(target, session, readExpectedDatabase);
    if (expected.kind !== 'ok') {
      return { kind: 'failed', why: `the database of ${target.name} ${explain(expected)}` };
    }
    runs += 1;
    const id = `plans/${process.pid}-${Date.now()}-${runs}`;
    const alembic = alembicFor(deps, target, 'm10bot:plan', id);
    const [code, read, printed] = await Promise.all([
      readCode(deps, target),
      alembic.read(expected.value),
      printLegs(alembic, direction, from, targets),
    ]);
    if (code.kind === 'failed') return code;
    if (printed.kind === 'failed') return printed;
    const online = onlineFacts(target, read);
    if (online.kind === 'failed') return online;
    const observed = codeOf(online, printed.results);
    if (read.observed !== null) deps.revisions.learn(target, read.observed);
    const end = endOf(printed.legs, from, observed);
    if (end !== null && end.join() !== [...to].sort().join()) {
      const why = `the ${direction} from ${sayRevisions(from)} would end at ${sayRevisions(end)}, expected ${sayRevisions([...to].sort())}`;
      return { kind: 'failed', why };
    }
    const place = await deps.revisions.placeOf(target);
    const versionSchema = schemaInSql(printed.results);
    const sql = await scriptOf(deps, printed.results, { schema: versionSchema, table: place.table });
    if (sql.kind === 'failed') return sql;
    const plan: MigrationPlan = {
      direction,
      from,
      to,
      legs: printed.legs,
      sql,
      place,
      versionSchema,
      database: expected.value,
      observed,
    };
    return { kind: 'planned', plan, code: code.code };
  }

  return {
    async lint(sql) {
      const linted = await findingsOf(deps, sql);
      return linted.kind === 'linted' ? linted.findings : [];
    },
    of(target, direction, from, to) {
      const key = JSON.stringify([
        target.name,
        target.directory,
        target.databaseUrl,
        target.env,
        direction,
        from,
        to,
      ]);
      const running = underWay.get(key);
      if (running !== undefined) return running;
      const plan = make(target, direction, from, to).finally(() => underWay.delete(key));
      underWay.set(key, plan);
      return plan;
    },
  };
}

/** The revisions that Alembic is told to go to, one command each. */
function targetsOf(direction: Direction, from: readonly string[], to: readonly string[]): readonly string[] {
  const fresh = to.filter((revision) => !from.includes(revision));
  // One downgrade takes a merge back to all of its parents.
  return direction === 'upgrade' ? fresh : fresh.slice(0, 1);
}

type Printed = Extract<PrintResult, { kind: 'printed' | 'unprintable' }>;

async function printLegs(
  alembic: Alembic,
  direction: Direction,
  from: readonly string[],
  targets: readonly string[],
): Promise<Failed | { readonly kind: 'legs'; readonly legs: Leg[]; readonly results: Printed[] }> {
  const legs: Leg[] = [];
  const results: Printed[] = [];
  let at = from;
  for (const to of targets) {
    const printed = await alembic.print(direction, at, to);
    const what = `what the ${direction} from ${sayRevisions(at)} to ${to} would run`;
    if (printed.kind !== 'printed' && printed.kind !== 'unprintable') {
      return { kind: 'failed', why: `Alembic could not print ${what} (${printed.evidence})` };
    }
    if (printed.steps.length === 0) {
      return { kind: 'failed', why: `the ${direction} from ${sayRevisions(at)} to ${to} would run nothing` };
    }
    const contexts = printed.observed?.plans.length ?? 1;
    if (contexts > 1) {
      const why = `env.py runs the migrations ${contexts} times (several databases or schemas). m10bot carries one version table for each target: give each database a target of its own, and let env.py migrate the one that DATABASE_URL names`;
      return { kind: 'failed', why };
    }
    legs.push({ to, from: at, steps: printed.steps });
    results.push(printed);
    at = headsAfter(at, printed.steps, printed.observed?.scripts?.revisions ?? []);
  }
  return { kind: 'legs', legs, results };
}

type Online = { readonly kind: 'online'; readonly observed: Observed | null; readonly writes: string | null };

/** What Alembic met when it connected, or why it must not be let near the target. */
function onlineFacts(target: TargetConfig, read: ReadResult): Failed | Online {
  const { observed } = read;
  // An env.py that makes its schema at each start was held back while only reading, which says nothing bad of it.
  const writes = read.kind === 'read_only' ? read.evidence : null;
  if (read.kind !== 'read' && writes === null) {
    const elsewhere = observed === null ? null : databaseProblem(target.name, observed);
    const what =
      read.kind === 'read_only_elsewhere'
        ? `Alembic tries to change another database than ${target.name} at each start, which is refused`
        : `Alembic cannot work on ${target.name}`;
    const why = elsewhere ?? `${what} (${read.evidence})`;
    return { kind: 'failed', why };
  }
  if (observed === null) return { kind: 'online', observed, writes };
  const problem = databaseProblem(target.name, observed);
  return problem === null ? { kind: 'online', observed, writes } : { kind: 'failed', why: problem };
}

function codeOf(online: Online, printed: readonly Printed[]): ObservedCode | null {
  const all = [online.observed, ...printed.map((p) => p.observed)].flatMap((o) => (o === null ? [] : [o]));
  const [first] = all;
  // Half observed is unverified.
  if (first === undefined || all.length <= printed.length) return null;
  const { alembic, sqlalchemy, python } = first.versions;
  return {
    versions: `Alembic ${alembic}, SQLAlchemy ${sqlalchemy}, Python ${python}`,
    files: new Map(all.flatMap((o) => [...o.files])),
    scripts: all.flatMap((o) => o.scripts?.revisions ?? []).filter(once),
    programs: all.flatMap((o) => o.programs),
    asks: [...new Set(all.flatMap((o) => o.asks))],
    writesAtStart: online.writes,
  };
}

function once(script: { readonly revision: string }, index: number, all: readonly { revision: string }[]) {
  return all.findIndex((other) => other.revision === script.revision) === index;
}

/** Where the database would be at the end; null when only an observed Alembic could tell. */
function endOf(
  legs: readonly Leg[],
  from: readonly string[],
  observed: ObservedCode | null,
): readonly string[] | null {
  if (observed === null) return null;
  return headsAfter(
    from,
    legs.flatMap((leg) => leg.steps),
    observed.scripts,
  );
}

/** As env.py names it, which is how the SQL does. */
function schemaInSql(printed: readonly Printed[]): string | null {
  const observed = printed[0]?.observed ?? null;
  return observed === null ? null : (migrationContext(observed)?.schema ?? null);
}

async function scriptOf(
  deps: Pick<StepDeps, 'processes'>,
  printed: readonly Printed[],
  version: TableName,
): Promise<Failed | PlannedScript> {
  const broken = printed.find((p) => p.kind === 'unprintable');
  if (broken !== undefined) return { kind: 'unprintable', why: broken.why };
  const text = printed.map((p) => (p.kind === 'printed' ? p.sql : '')).join('\n');
  const linted = await findingsOf(deps, text, version);
  if (linted.kind === 'failed') return linted;
  const shape = transactionShape((await parseScript(text)).statements);
  const outside = [...new Set([...shape.outside, ...shape.concurrent].map((s) => s.text))];
  const several = shape.transactions > printed.length && outside.length === 0;
  return {
    kind: 'printed',
    text,
    sha256: createHash('sha256').update(text).digest('hex'),
    outside: several ? ['COMMIT in the middle'] : outside,
    findings: linted.findings,
  };
}

/** In words, for the part of a fingerprint. */
export function sayDatabase(expected: ExpectedDatabase): string {
  return `${expected.database} (oid ${expected.oid}) of cluster ${expected.system ?? `started ${expected.started}`}`;
}
