import { z } from 'zod';
import { sayConnection } from '../../checks/plan/database.js';
import { setsLockTimeout } from '../../checks/plan/survey.js';
import type { Observed, ObservedConnection, ObservedRefusal } from '../../clients/alembic/observed.js';
import { connectionOf } from '../../clients/alembic/trouble.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { ProcessResult } from '../../clients/process.js';

/** Why Alembic did not end well, in words. */
export function sayTrouble(
  trouble: Trouble,
  facts: { readonly lockTimeout: string; readonly blocker: string | null; readonly target: string },
): string {
  const line = trouble.evidence.split('\n')[0] ?? '';
  switch (trouble.kind) {
    case 'lock_timeout':
      return `${sayWait(trouble.observed, facts.lockTimeout)}${facts.blocker === null ? '' : `, behind ${facts.blocker}`}`;
    case 'lock_nowait':
      return `Another client held a lock, and the statement does not wait for it (NOWAIT; ${line})`;
    case 'lock_unavailable':
      return `A lock was not available (${line})`;
    case 'unreachable':
      return `Alembic could not connect to the database (${line})`;
    case 'unknown_revision':
      return `The code does not know the revision (${line})`;
    case 'several_heads':
      return `The code has several heads (${line})`;
    case 'concurrent':
      return `It collided with what another client may have done at the same time (${line})`;
    case 'version_row':
      return `The version table did not hold the row that Alembic was to change (${line}): another client may have moved the revision, or a policy or trigger hides the row`;
    case 'read_only':
      return sayReadOnly(trouble, facts.target, line);
    case 'read_only_elsewhere':
      return `Alembic tried to change another database than ${facts.target}, ${sayConnection(sessionOf(trouble))}, where its sessions are read-only (${line})`;
    case 'refused':
      return sayRefusal(trouble.observed?.refused ?? null, facts.target);
    case 'not_started':
      return `Alembic could not be started (${line})`;
    case 'ended_early':
      return `Alembic ${sayEnd(trouble.process)} before it was done`;
    case 'failed':
      return `Alembic failed (${line})`;
  }
}

/** How long it waited is known where the limit was read back in the session and nothing changed it afterwards. */
function sayWait(observed: Observed | null, lockTimeout: string): string {
  if (observed === null) return 'Its lock_timeout ended the wait for a lock';
  return observed.statements.some(({ sql }) => setsLockTimeout(sql))
    ? 'The lock_timeout that the migration itself set ended the wait for a lock'
    : `It waited ${lockTimeout} for a lock and gave up`;
}

type Trouble = Exclude<MigrateResult, { kind: 'done' }>;

function sessionOf({ observed }: Trouble): ObservedConnection | undefined {
  const [error] = observed?.errors ?? [];
  return observed === null || error === undefined ? undefined : connectionOf(error, observed);
}

/** By what the session itself read when it was opened. */
function sayReadOnly(trouble: Trouble, target: string, line: string): string {
  const session = sessionOf(trouble);
  if (session?.standby === true) {
    return `${target} is a standby (pg_is_in_recovery), where nothing can be changed (${line}). The target needs the URL of the primary`;
  }
  if (session?.read_only === true) {
    return `Sessions of ${session.user ?? 'the role'} on ${target} are read-only (default_transaction_read_only is on; ${line})`;
  }
  return `A change was refused on ${target} in a read-only transaction (${line})`;
}

/** Why the observer let nothing more happen. */
function sayRefusal(refused: ObservedRefusal | null, target: string): string {
  if (refused === null) return 'Alembic was stopped by the observer';
  switch (refused.code) {
    case 'other_database':
      return `Stopped before the first statement: Alembic connected to another database than ${target} (${sayFound(refused.found)})`;
    case 'other_session':
      return `Stopped: the session changed its backend between two transactions (${sayFound(refused.expected)}, then ${sayFound(refused.found)}), so a pooler stands in front of ${target}, and no lock timeout holds. Give Alembic the URL of the server itself`;
    case 'other_revision':
      return `Stopped before the first statement: Alembic found ${target} at ${sayFound(refused.found)}, expected ${sayFound(refused.expected)}`;
    case 'other_steps':
      return `Stopped before the first statement: ${sayFound(refused.found)} would run, ${sayFound(refused.expected)} was approved`;
    case 'setting':
      return `Stopped before the first statement: ${refused.name ?? 'a setting'} is ${sayFound(refused.found)} in the session of Alembic, ${sayFound(refused.expected)} was promised. A pooler or the role overrides it`;
    case 'file_changed':
      return `Stopped: ${refused.path ?? 'a file'} is not what was approved`;
    case 'unobserved':
      return `Stopped: the migration opened a connection of its own with ${refused.name ?? 'a driver'}, whose statements cannot be recorded`;
    case 'rows_changed':
      return `Stopped before the first statement: the rows on ${target} are not the ones that were archived (${sayRows(refused.found)})`;
    case 'reaches_out':
      return `Stopped: while its SQL was printed, the migration ${refused.name ?? 'reached outside'}`;
    case 'lifts_read_only':
      return `Stopped: a session that may only read was to be made writable (${refused.name ?? ''})`;
  }
}

const Changed = z.array(z.object({ table: z.string(), rows: z.number().nullable(), archived: z.number() }));

function sayRows(found: unknown): string {
  const read = Changed.safeParse(found);
  if (!read.success) return 'which ones is not known';
  return read.data
    .map(({ table, rows, archived }) => {
      if (rows === null) return `${table} is gone`;
      return rows === archived
        ? `${table}: ${rows} as then, but not the same`
        : `${table}: ${rows}, archived ${archived}`;
    })
    .join('; ');
}

function sayFound(found: unknown): string {
  if (Array.isArray(found))
    return found.map((part) => (Array.isArray(part) ? part.join(' ') : String(part))).join(', ') || 'nothing';
  if (typeof found === 'object' && found !== null && 'database' in found)
    return `database ${String(found.database)}`;
  return String(found);
}

/** Who sent a signal is not known: another person, the kernel for want of memory, or the program by its own fault. */
function sayEnd(process: ProcessResult): string {
  switch (process.kind) {
    case 'timed_out':
      return 'ran out of time and was ended';
    case 'stopped':
      return 'was stopped';
    case 'killed_by_signal':
      return `was ended by ${process.signal}`;
    case 'exited':
    case 'not_started':
      return 'ended';
  }
}

/** Frames of the observer in a traceback, which say nothing of the migration. */
const ownFrames = /^ *File ".*[\\/]m10_observer[\\/][^"]*", line .*\n(?: {4,}.*\n)*/gm;

export function outputOf(result: MigrateResult): string {
  const { process } = result;
  if (process.kind === 'not_started') return process.reason;
  return [process.stdout, process.stderr]
    .map((text) => text.replace(ownFrames, '').trim())
    .filter((text) => text !== '')
    .join('\n');
}

export function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
