import type { ReportEvent, ReportEventOf, ReportStep } from './report.js';

export type ObservedConnection = ReportEventOf<'connection'>;
export type ObservedContext = ReportEventOf<'context'>;
export type ObservedStatement = ReportEventOf<'statement'>;
export type ObservedScript = ReportEventOf<'scripts'>['revisions'][number];
export type ObservedError = ReportEventOf<'error'>;
export type ObservedRefusal = ReportEventOf<'refused'>;

/** What happened inside Alembic, as facts: no line of its output is in it. */
export interface Observed {
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
  readonly contexts: readonly ObservedContext[];
  /** What migrations decide by and offline mode cannot answer, such as `get_bind`. */
  readonly asks: readonly string[];
  /** What each call of run_migrations was about to run. */
  readonly plans: readonly ReportEventOf<'plan'>[];
  /** Steps that ran to their end, the row in the version table included; committed or not. */
  readonly done: readonly ReportStep[];
  /** The rows of the version table after the last of them, as Alembic keeps them; null before the first. */
  readonly heads: readonly string[] | null;
  /** The SQL that offline mode printed. */
  readonly sql: string;
  readonly statements: readonly ObservedStatement[];
  /** Those that a commit or autocommit made last, whatever happened later. */
  readonly committed: readonly ObservedStatement[];
  /** Sent outside of a transaction and not seen to come to their end: they may have left all, part or nothing. */
  readonly uncertain: readonly ObservedStatement[];
  /** There were more than the report holds. */
  readonly truncated: boolean;
  readonly refused: ObservedRefusal | null;
  /** The first one is the cause; later ones are what it led to. */
  readonly errors: readonly ObservedError[];
  /** The command came to its end. */
  readonly ended: boolean;
}

/** Folds a report into facts; null when the observer never came to work. */
export function observedOf(events: readonly ReportEvent[]): Observed | null {
  const hello = events.find((e) => e.event === 'hello');
  if (hello === undefined) return null;
  const files = new Map<string, { sha256: string; package: string | null }>();
  const programs: string[][] = [];
  const connections: ObservedConnection[] = [];
  const contexts: ObservedContext[] = [];
  const plans: ReportEventOf<'plan'>[] = [];
  const done: ReportStep[] = [];
  const asks: string[] = [];
  const sql: string[] = [];
  const statements: ObservedStatement[] = [];
  const committed: ObservedStatement[] = [];
  const errors: ObservedError[] = [];
  let alone: ObservedStatement[] = [];
  let open: ObservedStatement[] = [];
  let scripts: Observed['scripts'] = null;
  let heads: readonly string[] | null = null;
  let truncated = false;
  let refused: ObservedRefusal | null = null;
  let ended = false;
  const endOf = (connection: number | null | undefined): ObservedStatement[] => {
    const own = open.filter((s) => s.connection === (connection ?? null));
    open = open.filter((s) => s.connection !== (connection ?? null));
    return own;
  };
  const addData = ({ connection, bytes, sha256 }: ReportEventOf<'data'>): void => {
    const of = (s: ObservedStatement) => s.connection === connection;
    const copy = statements.findLast(of);
    if (copy === undefined) return;
    // Beside its text, where it is compared and shown like the values of any statement.
    const told = { ...copy, parameters: [[{ type: 'data', text: `${bytes} bytes, SHA-256 ${sha256}` }]] };
    for (const list of [statements, alone, open]) {
      const at = list.lastIndexOf(copy);
      if (at >= 0) list[at] = told;
    }
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
        break;
      case 'context':
        contexts.push(event);
        break;
      case 'plan':
        plans.push(event);
        break;
      case 'step': {
        const step = plans.findLast((p) => p.context === event.context)?.steps[event.index];
        if (event.state === 'done' && step !== undefined) done.push(step);
        heads = event.heads ?? heads;
        break;
      }
      case 'sql':
        sql.push(`${event.text}\n\n`);
        break;
      case 'statement':
        statements.push(event);
        if (event.autocommit) alone.push(event);
        else open.push(event);
        break;
      case 'data':
        addData(event);
        break;
      case 'carried':
        committed.push(...alone.filter((s) => s.connection === event.connection));
        alone = alone.filter((s) => s.connection !== event.connection);
        break;
      case 'commit':
        committed.push(...endOf(event.connection));
        break;
      case 'rollback':
        endOf(event.connection);
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
        errors.push(event);
        break;
      case 'ended':
        ended = true;
        break;
      case 'hello':
      case 'committing':
      case 'session':
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
    contexts,
    asks,
    plans,
    done,
    heads,
    sql: sql.join(''),
    statements,
    committed,
    uncertain: alone,
    truncated,
    refused,
    errors,
    ended,
  };
}
