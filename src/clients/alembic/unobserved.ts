import type { ReportStep } from './report.js';
import type { AlembicTroubleKind } from './trouble-kind.js';

/*
 * What can be read off an Alembic that was not observed: its output alone. A log that goes elsewhere, or another
 * language of the server, makes all of it silent, so nothing here may be taken for a proof.
 */

/** The first token of each line: `022_m10_production_hardening (head)` names one revision. */
export function firstTokens(stdout: string): string[] {
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((token) => token !== '');
}

/**
 * The `Running upgrade A -> B` lines of a log. Alembic writes the line before it runs the step: after a failure
 * it was announced, not done.
 */
export function announcedSteps(text: string): ReportStep[] {
  const line = /Running (upgrade|downgrade) (.*?) ?-> ?(\S*)/g;
  const names = (part: string | undefined) => (part ?? '').split(/[,\s]+/).filter((name) => name !== '');
  return [...text.matchAll(line)].map(([, word, before, after]) => {
    const direction = word === 'downgrade' ? 'downgrade' : 'upgrade';
    const [from, to] = [names(before), names(after)];
    const revision = (direction === 'upgrade' ? to : from).join(', ');
    return { direction, revision, from, to };
  });
}

/** The likeliest kind of trouble, and the lines that tell. */
export function troubleInOutput(
  stdout: string,
  stderr: string,
): { readonly kind: AlembicTroubleKind; readonly evidence: string } {
  const evidence = evidenceOf(stdout, stderr);
  const both = `${stdout}\n${stderr}`;
  const is = (kind: AlembicTroubleKind) => ({ kind, evidence });
  if (/Can't locate revision/.test(both)) return is('unknown_revision');
  if (/Multiple head revisions are present/.test(both)) return is('several_heads');
  if (/canceling statement due to lock timeout/.test(evidence)) return is('lock_timeout');
  if (/LockNotAvailable.*could not obtain lock on/.test(evidence)) return is('lock_nowait');
  if (/LockNotAvailable/.test(evidence)) return is('lock_unavailable');
  if (/expected to match (1|one) row|matched 0/.test(evidence)) return is('version_row');
  // Two upgrades at once: the later one collides in alembic_version or in the catalog.
  if (/alembic_version_pkc|pg_(type|class|namespace|proc)_\w+_index/.test(evidence)) return is('concurrent');
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
