import type { ProcessResult } from '../process.js';
import type { Observed, ObservedError, ObservedRefusal } from './observed.js';
import type { AlembicTroubleKind } from './trouble-kind.js';
import { troubleInOutput } from './unobserved.js';

/** Why a command of Alembic did not do what it was asked. */
export interface AlembicTrouble {
  readonly kind: AlembicTroubleKind;
  /** What tells. It may hold secrets (SQLAlchemy quotes a URL it cannot read): redact. */
  readonly evidence: string;
  readonly process: ProcessResult;
  /** Null when Alembic could not be observed. */
  readonly observed: Observed | null;
}

/** Names what went wrong; null when the program ended with exit code 0. */
export function troubleOf(result: ProcessResult, observed: Observed | null): AlembicTrouble | null {
  const is = (kind: AlembicTroubleKind, evidence: string) => ({ kind, evidence, process: result, observed });
  if (observed?.refused != null) return is('refused', sayRefusal(observed.refused));
  switch (result.kind) {
    case 'exited': {
      const [error] = observed?.errors ?? [];
      if (result.exitCode === 0) {
        // An env.py that swallows the error of its migration ends well all the same.
        const swallowed = error !== undefined && observed !== null && isUnfinished(observed);
        return swallowed ? is(kindOf(error, observed), error.message) : null;
      }
      if (observed === null || error === undefined) {
        const { kind, evidence } = troubleInOutput(result.stdout, result.stderr);
        return is(kind, evidence);
      }
      return is(kindOf(error, observed), error.message);
    }
    case 'timed_out':
    case 'stopped':
    case 'killed_by_signal':
      return is('ended_early', troubleInOutput(result.stdout, result.stderr).evidence);
    case 'not_started':
      return is('not_started', result.reason);
  }
}

/** Whether steps were begun that did not come to their end. */
function isUnfinished(observed: Observed): boolean {
  return observed.done.length < observed.plans.flatMap((plan) => plan.steps).length;
}

const SQLSTATE = { lockNotAvailable: '55P03', uniqueViolation: '23505', readOnly: '25006' };

/** By class, SQLSTATE and place of the error, never by its words, which are in the server's language. */
function kindOf(error: ObservedError, observed: Observed): AlembicTroubleKind {
  const has = (...names: string[]) => error.classes.some((c) => names.includes(c));
  if (error.sqlstate === SQLSTATE.lockNotAvailable) return 'lock_timeout';
  if (error.sqlstate === SQLSTATE.readOnly) return 'read_only';
  if (error.where === 'version') return 'concurrent';
  // Two upgrades at once make the same objects: the later one collides in the catalog.
  if (error.sqlstate === SQLSTATE.uniqueViolation && error.schema === 'pg_catalog') return 'concurrent';
  if (has('alembic.script.revision.MultipleHeads')) return 'several_heads';
  if (has('alembic.script.revision.ResolutionError', 'alembic.script.revision.RevisionError')) {
    return 'unknown_revision';
  }
  const connected = observed.connections.length > 0;
  const outside = error.classes.some(
    (c) =>
      /\.(OperationalError|InterfaceError|DBAPIError)$/.test(c) ||
      /^builtins\.\w*(OS|Connection|Timeout)Error$/.test(c),
  );
  if (!connected && outside) return 'unreachable';
  return 'failed';
}

function sayRefusal(refused: ObservedRefusal): string {
  const found = typeof refused.found === 'object' ? JSON.stringify(refused.found) : String(refused.found);
  return `${refused.code}${refused.path === undefined ? '' : ` ${refused.path}`}: ${found}`;
}
