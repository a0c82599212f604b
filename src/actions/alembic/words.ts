import type { MigrateResult } from '../../clients/alembic.js';

/** Why Alembic did not end well, in words. */
export function sayTrouble(
  trouble: Exclude<MigrateResult, { kind: 'done' }>,
  facts: { readonly lockTimeout: string; readonly blocker: string | null },
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
    case 'not_started':
      return `Alembic could not be started (${line})`;
    case 'ended_early':
      return `Alembic ${sayEnd(trouble.process.kind)} before it was done`;
    case 'failed':
      return `Alembic failed (${line})`;
  }
}

function sayEnd(kind: MigrateResult['process']['kind']): string {
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

export function outputOf(result: MigrateResult): string {
  const { process } = result;
  if (process.kind === 'not_started') return process.reason;
  return [process.stdout, process.stderr]
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('\n');
}

export function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
