import { createReadStream } from 'node:fs';
import { z } from 'zod';

const RevisionStep = z.object({
  direction: z.enum(['upgrade', 'downgrade']),
  /** The script that runs; for an upgrade where it leads to, for a downgrade what it takes back. */
  revision: z.string(),
  from: z.array(z.string()),
  to: z.array(z.string()),
});

const SessionFacts = {
  database: z.string(),
  oid: z.string(),
  pid: z.int(),
  /** Seconds of the epoch as text: with the pid it names a backend for good. Null where it may not be seen. */
  backend_start: z.string().nullable(),
  started: z.string(),
  address: z.string().nullable(),
  port: z.int().nullable(),
  user: z.string(),
  standby: z.boolean(),
  lock_timeout_ms: z.int().nullable(),
  statement_timeout_ms: z.int().nullable(),
  application_name: z.string().nullable(),
  /** What default_transaction_read_only was as the session was opened. */
  read_only: z.boolean().optional(),
};

const Value = z.union([z.null(), z.boolean(), z.string(), z.object({ type: z.string(), text: z.string() })]);

/** How much the observer keeps of a word of a command line and of a message, in characters. */
const LONGEST_WORD = 500;
const LONGEST_MESSAGE = 2_000;

/** Text that is as long as it may be was perhaps cut: the mark says so to people, and to the redactor. */
function cutAt(longest: number) {
  // Characters of Python are code points.
  return z.string().transform((text) => ([...text].length >= longest ? `${text}…` : text));
}

/** One line of the observer's report; what each tells of is explained in python/m10_observer/__init__.py. */
const ReportEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('hello'), python: z.string(), alembic: z.string(), sqlalchemy: z.string() }),
  z.object({
    event: z.literal('file'),
    path: z.string(),
    sha256: z.string(),
    package: z.string().nullable(),
  }),
  z.object({ event: z.literal('program'), argv: z.array(cutAt(LONGEST_WORD)) }),
  z.object({
    event: z.literal('scripts'),
    heads: z.array(z.string()),
    revisions: z.array(
      z.object({
        revision: z.string(),
        down: z.array(z.string()),
        depends: z.array(z.string()),
        labels: z.array(z.string()),
        path: z.string(),
        message: z.string(),
      }),
    ),
  }),
  z.object({
    event: z.literal('connection'),
    id: z.int(),
    dialect: z.string().nullable(),
    driver: z.string().nullable().default(null),
    /** Null: nobody said which database is expected. */
    target: z.boolean().nullable(),
    outside: z.boolean().default(false),
    ...z.object(SessionFacts).partial().shape,
    system: z.string().nullable().default(null),
  }),
  z.object({
    event: z.literal('context'),
    number: z.int(),
    offline: z.boolean(),
    dialect: z.string(),
    connection: z.int().nullable(),
    table: z.string(),
    schema: z.string().nullable(),
    transactional: z.boolean(),
    each: z.boolean(),
    place: z.object({ schema: z.string().nullable(), table: z.string(), exists: z.boolean() }).nullable(),
  }),
  z.object({
    event: z.literal('plan'),
    context: z.int(),
    heads: z.array(z.string()),
    steps: z.array(RevisionStep),
  }),
  z.object({ event: z.literal('session'), context: z.int().nullable(), ...SessionFacts }),
  z.object({
    event: z.literal('step'),
    context: z.int(),
    index: z.int(),
    state: z.enum(['started', 'done']),
    /** The rows of the version table after it, as Alembic keeps them. */
    heads: z.array(z.string()).optional(),
  }),
  z.object({
    event: z.literal('sql'),
    context: z.int().nullable(),
    step: z.int().nullable(),
    text: z.string(),
  }),
  z.object({
    event: z.literal('statement'),
    connection: z.int().nullable(),
    target: z.boolean().nullable(),
    context: z.int().nullable(),
    step: z.int().nullable(),
    sql: z.string(),
    /** The text or its rows were too long to be reported whole. */
    cut: z.boolean(),
    parameters: z.array(z.union([z.array(Value), z.record(z.string(), Value)])),
    style: z.string().nullable(),
    autocommit: z.boolean(),
  }),
  z.object({ event: z.literal('asks'), what: z.string(), step: z.int().nullable() }),
  z.object({ event: z.literal('truncated'), limit: z.int() }),
  /** Statements outside of a transaction came to their end, the last `count` of the session. */
  z.object({ event: z.literal('carried'), connection: z.int().nullable(), count: z.int().default(1) }),
  /** A commit is about to be sent: from here on the server may have it. */
  z.object({
    event: z.literal('committing'),
    connection: z.int().nullable().optional(),
    /** Of its transaction (`txid_current_if_assigned`), where it was asked for. */
    xid: z.string().nullable().optional(),
  }),
  /** What the last COPY of a connection sent. */
  z.object({
    event: z.literal('data'),
    connection: z.int().nullable(),
    bytes: z.int(),
    sha256: z.string(),
  }),
  z.object({ event: z.literal('commit'), connection: z.int().nullable().optional() }),
  z.object({
    event: z.literal('rollback'),
    connection: z.int().nullable().optional(),
    /** With which the server refused the commit before it. */
    sqlstate: z.string().nullable().optional(),
  }),
  z.object({
    event: z.literal('error'),
    where: z.string(),
    step: z.int().nullable(),
    classes: z.array(z.string()),
    message: cutAt(LONGEST_MESSAGE),
    sqlstate: z.string().nullable(),
    schema: z.string().nullable().default(null),
    /** The function of the server's source that raised it. */
    routine: z.string().nullable().default(null),
    connection: z.int().nullable().default(null),
  }),
  z.object({
    event: z.literal('refused'),
    code: z.enum([
      'other_database',
      'other_session',
      'other_revision',
      'other_steps',
      'setting',
      'file_changed',
      'unobserved',
      'reaches_out',
      'lifts_read_only',
      'rows_changed',
    ]),
    found: z.unknown().optional(),
    expected: z.unknown().optional(),
    name: z.string().optional(),
    path: z.string().optional(),
  }),
  z.object({ event: z.literal('unread'), why: z.string() }),
  z.object({ event: z.literal('ended') }),
]);

export type ReportEvent = z.infer<typeof ReportEvent>;
export type ReportEventOf<K extends ReportEvent['event']> = Extract<ReportEvent, { event: K }>;
export type ReportStep = z.infer<typeof RevisionStep>;
export type ReportValue = z.infer<typeof Value>;

/** What could be read of a report. */
export interface Report {
  readonly events: readonly ReportEvent[];
  /** Its end or a part of it was not written, as on a full disk: what it does not have may have happened. */
  readonly cut: boolean;
}

/**
 * Reads a report, also one that could not be written to its end.
 * @returns null when there is none: nothing was observed
 * @throws Error for a line that is no event: observer and bot are of different versions
 */
export async function readReport(path: string): Promise<Report | null> {
  const events: ReportEvent[] = [];
  let rest = '';
  let cut = false;
  try {
    // Piece by piece: a report may be longer than a text can be, and others wait meanwhile.
    for await (const chunk of createReadStream(path, 'utf8')) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      // What follows the last line break was not written to its end.
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const value = jsonOf(line);
        // Written in part, and the next line behind it when there was room again.
        if (value === undefined) cut = true;
        else events.push(ReportEvent.parse(value));
      }
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return { events, cut: cut || rest !== '' };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
