import { z } from 'zod';
import type { ObservedRefusal } from '../../clients/alembic/observed.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { ProcessResult } from '../../clients/process.js';

/** Why Alembic did not end well, in words. */
export function sayTrouble(
  trouble: Exclude<MigrateResult, { kind: 'done' }>,
  facts: { readonly lockTimeout: string; readonly blocker: string | null; readonly target: string },
): string {
  const line = trouble.evidence.split('\n')[0] ?? '';
  switch (trouble.kind) {
    case 'lock_timeout':
      return `It waited ${facts.lockTimeout} for a lock and gave up${facts.blocker === null ? '' : `, behind ${facts.blocker}`}`;
    case 'unreachable':
      return `Alembic could not reach the database (${line})`;
    case 'unknown_revision':
      return `The code does not know the revision (${line})`;
    case 'several_heads':
      return `The code has several heads (${line})`;
    case 'concurrent':
      return `Another client moved the revision at the same time (${line})`;
    case 'read_only':
      return `Alembic wanted to change a database that is not the target's (${line})`;
    case 'refused':
      return sayRefusal(trouble.observed?.refused ?? null, facts.target);
    case 'not_started':
      return `Alembic could not be started (${line})`;
    case 'ended_early':
      return `Alembic ${sayEnd(trouble.process.kind)} before it was done`;
    case 'failed':
      return `Alembic failed (${line})`;
  }
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

function sayEnd(kind: ProcessResult['kind']): string {
  switch (kind) {
    case 'timed_out':
      return 'ran out of time and was ended';
    case 'stopped':
      return 'was stopped';
    case 'killed_by_signal':
      return 'was killed by somebody else';
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
