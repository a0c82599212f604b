import { createLedger, type Fates, type ObservedStatement } from './ledger.js';
import type { Report, ReportEventOf, ReportStep } from './report.js';

export type { ObservedStatement, UnansweredCommit } from './ledger.js';

export type ObservedConnection = ReportEventOf<'connection'>;
export type ObservedContext = ReportEventOf<'context'>;
export type ObservedScript = ReportEventOf<'scripts'>['revisions'][number];
export type ObservedError = ReportEventOf<'error'> & {
  /** The last statement that was sent before it. */
  readonly last: ObservedStatement | null;
};
export type ObservedRefusal = ReportEventOf<'refused'>;

/** A server process that served the program, for good: with the time of its start. */
export interface ObservedBackend {
  readonly pid: number;
  readonly start: string | null;
  /** When its server was started: tells servers apart. */
  readonly server: string | null;
}

/** What happened inside Alembic, as facts: no line of its output is in it. */
export interface Observed extends Fates {
  readonly versions: { readonly python: string; readonly alembic: string; readonly sqlalchemy: string };
  /** Every file that was read, by absolute path; a later reading of the same path wins. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly package: string | null }>;
  /** Programs that Alembic started: what they did was not observed. */
  readonly programs: readonly (readonly string[])[];
  readonly scripts: {
    readonly heads: readonly string[];
    readonly revisions: readonly ObservedScript[];
  } | null;
  readonly connections: readonly ObservedConnection[];
  /** Every backend that a session was seen to have, of whatever database. */
  readonly backends: readonly ObservedBackend[];
  /** In which migrations ran, or would have: an env.py may make others only to look at a revision. */
  readonly contexts: readonly ObservedContext[];
  /** All that were made. */
  readonly configured: readonly ObservedContext[];
  /** What migrations decide by and offline mode cannot answer, such as `get_bind`. */
  readonly asks: readonly string[];
  /** What each call of run_migrations was about to run. */
  readonly plans: readonly ReportEventOf<'plan'>[];
  /** Steps that were begun. */
  readonly begun: readonly ReportStep[];
  /** Steps that ran to their end, the row in the version table included; committed or not. */
  readonly done: readonly ReportStep[];
  /** The rows of the version table after the last of them, as Alembic keeps them; null before the first. */
  readonly heads: readonly string[] | null;
  /** The SQL that offline mode printed. */
  readonly sql: string;
  readonly statements: readonly ObservedStatement[];
  /** There were more than the report holds. */
  readonly truncated: boolean;
  /** The report was not written to its end: what it does not have may have happened all the same. */
  readonly cut: boolean;
  readonly refused: ObservedRefusal | null;
  /** The first one is the cause; later ones are what it led to. */
  readonly errors: readonly ObservedError[];
  /** The command came to its end. */
  readonly ended: boolean;
}

/** Folds a report into facts; null when the observer never came to work. */
export function observedOf({ events, cut }: Report): Observed | null {
  const hello = events.find((e) => e.event === 'hello');
  if (hello === undefined) return null;
  const files = new Map<string, { sha256: string; package: string | null }>();
  const programs: string[][] = [];
  const connections: ObservedConnection[] = [];
  const backends: ObservedBackend[] = [];
  const configured: ObservedContext[] = [];
  const plans: ReportEventOf<'plan'>[] = [];
  const begun: ReportStep[] = [];
  const done: ReportStep[] = [];
  const asks: string[] = [];
  const sql: string[] = [];
  const statements: ObservedStatement[] = [];
  const ledger = createLedger();
  const errors: ObservedError[] = [];
  let scripts: Observed['scripts'] = null;
  let heads: readonly string[] | null = null;
  let truncated = false;
  let refused: ObservedRefusal | null = null;
  let ended = false;
  const addBackend = (event: ObservedConnection | ReportEventOf<'session'>): void => {
    const { pid, backend_start: start = null, started: server = null } = event;
    if (pid === undefined || backends.some((b) => b.pid === pid && b.start === start)) return;
    backends.push({ pid, start, server });
  };
  const addData = ({ connection, bytes, sha256 }: ReportEventOf<'data'>): void => {
    const at = statements.findLastIndex((s) => s.connection === connection);
    const copy = statements[at];
    if (copy === undefined) return;
    // Beside its text, where it is compared and shown like the values of any statement.
    const told = { ...copy, parameters: [[{ type: 'data', text: `${bytes} bytes, SHA-256 ${sha256}` }]] };
    statements[at] = told;
    ledger.amended(copy, told);
  };
  for (const event of events) {
    switch (event.event) {
      case 'file':
        files.set(event.path, { sha256: event.sha256, package: event.package });
        break;
      case 'program':
        programs.push(event.argv);
        break;
      case 'scripts':
        scripts = { heads: event.heads, revisions: event.revisions };
        break;
      case 'connection':
        connections.push(event);
        ledger.connected(event.id, event.driver);
        addBackend(event);
        break;
      case 'session':
        addBackend(event);
        break;
      case 'context':
        configured.push(event);
        break;
      case 'plan':
        plans.push(event);
        break;
      case 'step': {
        const step = plans.findLast((p) => p.context === event.context)?.steps[event.index];
        if (step !== undefined) (event.state === 'done' ? done : begun).push(step);
        heads = event.heads ?? heads;
        break;
      }
      case 'sql':
        sql.push(`${event.text}\n\n`);
        break;
      case 'statement':
        statements.push(event);
        ledger.sent(event);
        break;
      case 'data':
        addData(event);
        break;
      case 'carried':
        ledger.carried(event.connection, event.count);
        break;
      case 'committing':
        ledger.committing(event.connection, event.xid);
        break;
      case 'commit':
        ledger.committed(event.connection);
        break;
      case 'rollback':
        ledger.rolledBack(event.connection, event.sqlstate != null);
        break;
      case 'asks':
        asks.push(event.what);
        break;
      case 'truncated':
        truncated = true;
        break;
      case 'refused':
        refused = event;
        break;
      case 'error':
        errors.push({ ...event, last: statements.at(-1) ?? null });
        break;
      case 'ended':
        ended = true;
        break;
      case 'hello':
      case 'unread':
        break;
    }
  }
  const { python, alembic, sqlalchemy } = hello;
  return {
    versions: { python, alembic, sqlalchemy },
    files,
    programs,
    scripts,
    connections,
    backends,
    contexts: configured.filter((context) => plans.some((plan) => plan.context === context.number)),
    configured,
    asks,
    plans,
    begun,
    done,
    heads,
    sql: sql.join(''),
    statements,
    ...ledger.fates(),
    truncated,
    cut,
    refused,
    errors,
    ended,
  };
}

/** The context whose version table counts: where none ran, the one that env.py made last. */
export function migrationContext(observed: Observed): ObservedContext | undefined {
  return observed.contexts[0] ?? observed.configured.at(-1);
}
