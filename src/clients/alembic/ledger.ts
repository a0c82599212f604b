import type { ReportEventOf } from './report.js';

export type ObservedStatement = ReportEventOf<'statement'>;

/** A commit that was sent, and nobody saw what the server made of it. */
export interface UnansweredCommit {
  readonly connection: number | null;
  /** Of the server (`txid_current`); null: it had none, so there was nothing to commit; undefined: not reported. */
  readonly xid: string | null | undefined;
  readonly statements: readonly ObservedStatement[];
}

/** What became of the statements of a report. Whatever is in none of these lists was rolled back or never made last. */
export interface Fates {
  /** Those that a commit or autocommit made last, whatever happened later. */
  readonly committed: readonly ObservedStatement[];
  /** Sent outside of a transaction and not seen to come to their end: they may have left all, part or nothing. */
  readonly uncertain: readonly ObservedStatement[];
  readonly unanswered: readonly UnansweredCommit[];
}

interface Commit {
  xid: string | null | undefined;
  readonly statements: ObservedStatement[];
}

interface Connection {
  /** Of the transaction that is open. */
  open: ObservedStatement[];
  /** Outside of a transaction, since the last end that was seen. */
  alone: ObservedStatement[];
  /** The commit that was sent last and has no answer yet. */
  sent: Commit | null;
  /** Earlier ones that will never have one. */
  unanswered: Commit[];
  /** SQL ended the transaction and the driver does not know: what follows runs outside of one. */
  loose: boolean;
  /** SQL since the last end that was seen. */
  last: string;
  driver: string | null;
}

/** Keeps the books on each connection's statements. An end is believed only when it was seen. */
export function createLedger() {
  const connections = new Map<number | null, Connection>();
  const committed: ObservedStatement[] = [];
  const uncertain: ObservedStatement[] = [];

  const of = (id: number | null | undefined): Connection => {
    const known = connections.get(id ?? null);
    if (known !== undefined) return known;
    const made = { open: [], alone: [], sent: null, unanswered: [], loose: false, last: '', driver: null };
    connections.set(id ?? null, made);
    return made;
  };

  /** These begin a transaction by themselves whenever the server says that none is open. */
  const begins = (driver: string | null) => driver === 'psycopg' || driver === 'pg8000';

  /** After an end that was seen: did SQL bring it about, so that the driver goes on as if a transaction was open? */
  const loosen = (connection: Connection, hadLoose: boolean) => {
    const by = transactionWordOf(connection.last);
    connection.last = '';
    if (by !== null) connection.loose = by !== 'begin' && !begins(connection.driver);
    else if (!hadLoose) connection.loose = false;
  };

  /** No answer to the last commit will come any more. */
  const giveUp = (connection: Connection) => {
    if (connection.sent !== null) connection.unanswered.push(connection.sent);
    connection.sent = null;
  };

  return {
    connected(id: number, driver: string | null) {
      of(id).driver = driver;
    },
    sent(statement: ObservedStatement) {
      const connection = of(statement.connection);
      connection.last = statement.sql;
      if (connection.loose && transactionWordOf(statement.sql) === 'begin') connection.loose = false;
      if (statement.autocommit || connection.loose) connection.alone.push(statement);
      else connection.open.push(statement);
    },
    /** More came to be known of a statement. */
    amended(before: ObservedStatement, now: ObservedStatement) {
      const { alone, open, sent } = of(before.connection);
      for (const list of [alone, open, sent?.statements ?? []]) {
        const at = list.lastIndexOf(before);
        if (at >= 0) list[at] = now;
      }
    },
    /** The last `count` statements were transactions of their own; one before them did not come to its end. */
    carried(id: number | null, count: number) {
      const connection = of(id);
      committed.push(...connection.alone.splice(Math.max(connection.alone.length - count, 0)));
      uncertain.push(...connection.alone.splice(0));
    },
    committing(id: number | null | undefined, xid: string | null | undefined) {
      const connection = of(id);
      const statements = connection.open.splice(0);
      // Told twice of one commit, by SQLAlchemy and by its driver.
      if (connection.sent !== null && statements.length === 0) connection.sent.xid ??= xid;
      else {
        giveUp(connection);
        connection.sent = { xid, statements };
      }
    },
    committed(id: number | null | undefined) {
      const connection = of(id);
      const hadLoose = connection.alone.length > 0;
      const { xid, statements } = connection.sent ?? { xid: undefined, statements: [] };
      const made = [...statements, ...connection.open.splice(0)];
      connection.sent = null;
      // Prepared, it is out of the session's hands: whoever knows its name commits it.
      if (transactionWordOf(connection.last) === 'prepare')
        connection.unanswered.push({ xid, statements: made });
      else committed.push(...made);
      if (connection.loose) committed.push(...connection.alone.splice(-1));
      if (connection.loose) uncertain.push(...connection.alone.splice(0));
      loosen(connection, hadLoose);
    },
    /**
     * @param refused the server answered the commit with an error. Without, a rollback says nothing of a commit
     *   before it: a signal may have come between the commit and its report, and a rollback then finds nothing to do.
     */
    rolledBack(id: number | null | undefined, refused: boolean) {
      const connection = of(id);
      if (refused) connection.sent = null;
      giveUp(connection);
      connection.open = [];
      uncertain.push(...connection.alone.splice(0));
      loosen(connection, false);
    },
    fates(): Fates {
      const all = [...connections];
      return {
        committed,
        uncertain: [...uncertain, ...all.flatMap(([, { alone }]) => alone)],
        unanswered: all.flatMap(([connection, { unanswered, sent }]) =>
          [...unanswered, ...(sent === null ? [] : [sent])]
            .filter(({ statements }) => statements.length > 0)
            .map((each) => ({ connection, ...each })),
        ),
      };
    },
  };
}

/** What the last word on transactions in a text does; null where it has none. */
function transactionWordOf(sql: string): 'begin' | 'end' | 'prepare' | null {
  const bare = sql.replace(/\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|\/\*.*?\*\//gs, '');
  const words =
    /(?:^|;)\s*(begin|start\s+transaction|(?:commit|end|rollback|abort|prepare\s+transaction)\b(?!\s+(?:prepared|(?:(?:work|transaction)\s+)?to\b)))\b([^;]*)/gi;
  const last = [...bare.matchAll(words)].at(-1);
  if (last === undefined) return null;
  if (/^prepare/i.test(last[1] ?? '')) return 'prepare';
  const chained = /\band\s+chain\b/i.test(last[2] ?? '') && !/\bno\s+chain\b/i.test(last[2] ?? '');
  return /^(begin|start)/i.test(last[1] ?? '') || chained ? 'begin' : 'end';
}
