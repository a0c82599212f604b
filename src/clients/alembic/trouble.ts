import type { ProcessResult } from '../process.js';

/** Why a command of Alembic did not do what it was asked. */
export interface AlembicTrouble {
  readonly kind: /** The database cannot be connected to. */
    | 'unreachable'
    /** The database or the command line names a revision that the project does not have. */
    | 'unknown_revision'
    /** `head` was asked for and there are several. */
    | 'several_heads'
    /** The lock_timeout ended the wait for a lock: nothing has changed, trying again is safe. */
    | 'lock_timeout'
    /** Another client moved the revision at the same time. */
    | 'concurrent'
    /** The time was over, it was stopped, or a stranger killed it. Its backend may work on for a while. */
    | 'ended_early'
    | 'not_started'
    | 'failed';
  /** The lines that tell, as printed. They may hold secrets (SQLAlchemy quotes a URL it cannot read): redact. */
  readonly evidence: string;
  readonly process: ProcessResult;
}

/** Names what went wrong; null when the program ended with exit code 0. */
export function troubleOf(result: ProcessResult): AlembicTrouble | null {
  switch (result.kind) {
    case 'exited':
      if (result.exitCode === 0) return null;
      return { ...classify(result.stdout, result.stderr), process: result };
    case 'timed_out':
    case 'stopped':
    case 'killed_by_signal':
      return { kind: 'ended_early', evidence: evidenceOf(result.stdout, result.stderr), process: result };
    case 'not_started':
      return { kind: 'not_started', evidence: result.reason, process: result };
  }
}

function classify(stdout: string, stderr: string): Pick<AlembicTrouble, 'kind' | 'evidence'> {
  const evidence = evidenceOf(stdout, stderr);
  const both = `${stdout}\n${stderr}`;
  const is = (kind: AlembicTrouble['kind']) => ({ kind, evidence });
  if (/Can't locate revision/.test(both)) return is('unknown_revision');
  if (/Multiple head revisions are present/.test(both)) return is('several_heads');
  if (/LockNotAvailable|canceling statement due to lock timeout/.test(evidence)) return is('lock_timeout');
  // Two upgrades at once: the later one collides in alembic_version or in the catalog, or matches no row.
  if (
    /alembic_version_pkc|expected to match 1 row|matched 0|pg_(type|class|namespace|proc)_\w+_index/.test(
      evidence,
    )
  ) {
    return is('concurrent');
  }
  // SQLAlchemy wraps lock timeouts as OperationalError as well: only the text tells a failed connection.
  if (
    /OperationalError/.test(evidence) &&
    /could not (connect|translate)|connection to server (at|on) .* failed|connection (refused|timed out)|timeout expired/i.test(
      evidence,
    )
  ) {
    return is('unreachable');
  }
  return is('failed');
}

/** The FAILED line, or the last exception of the traceback without the SQL it quotes, or the last lines. */
function evidenceOf(stdout: string, stderr: string): string {
  const failed = /^FAILED: .*$/m.exec(stdout);
  if (failed !== null) return failed[0];
  const lines = stderr.trimEnd().split('\n');
  const at = lines.findLastIndex((line) =>
    /^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning)\b/.test(line),
  );
  if (at < 0) return (stderr.trim() === '' ? stdout.trimEnd().split('\n') : lines).slice(-5).join('\n');
  const rest = lines.slice(at, at + 12);
  const end = rest.findIndex((line) => /^(\[SQL: |\(Background on this error)/.test(line));
  return (end < 0 ? rest : rest.slice(0, end)).join('\n').trim();
}
