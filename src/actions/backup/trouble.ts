import type { BackupTrouble } from '../../clients/backup.js';
import type { ProcessResult } from '../../clients/process.js';

/** Why there is no backup, in words. */
export function sayTrouble(trouble: BackupTrouble): string {
  switch (trouble.kind) {
    case 'exists':
      return `${trouble.path} is there already`;
    case 'not_writable':
      return `the folder cannot be written to (${trouble.evidence})`;
    case 'tool':
      return `a program is missing or does not run (${firstLine(trouble.evidence)})`;
    case 'client_too_old':
      return `${trouble.program} ${trouble.client} is older than the server, version ${trouble.server}`;
    case 'empty':
      return 'the dump is empty';
    case 'unreadable':
      return `the dump cannot be read to its end (${firstLine(trouble.evidence)})`;
    case 'missing':
      return `${trouble.path} is not there`;
    case 'failed':
      return sayEnd(trouble.process, trouble.evidence);
  }
}

function sayEnd(process: ProcessResult, evidence: string): string {
  switch (process.kind) {
    case 'exited':
      return `pg_dump failed (${firstLine(evidence)})`;
    case 'timed_out':
      return 'it was ended before it was done (timed out)';
    case 'stopped':
      return 'it was ended before it was done (stopped)';
    case 'killed_by_signal':
      return `it was ended before it was done (somebody else sent ${process.signal})`;
    case 'not_started':
      return process.code === 'stopped_before'
        ? 'it was stopped before it began'
        : `pg_dump could not be started (${process.reason})`;
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
