import type { ProcessResult } from '../process.js';
import type { Observed, ObservedConnection, ObservedError, ObservedRefusal } from './observed.js';
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

const SQLSTATE = {
  lockNotAvailable: '55P03',
  uniqueViolation: '23505',
  serializationFailure: '40001',
  readOnly: '25006',
};

/** By class, SQLSTATE and place of the error; by its words, which are in the server's language, where it must be. */
function kindOf(error: ObservedError, observed: Observed): AlembicTroubleKind {
  const has = (...names: string[]) => error.classes.some((c) => names.includes(c));
  if (error.sqlstate === SQLSTATE.lockNotAvailable) return lockKindOf(error);
  if (error.sqlstate === SQLSTATE.readOnly) {
    return connectionOf(error, observed)?.target === false ? 'read_only_elsewhere' : 'read_only';
  }
  if (error.where === 'version') {
    // Alembic's own complaint that its statement changed no row or several; anything else is what it says.
    if (error.sqlstate === null && has('alembic.util.exc.CommandError')) return 'version_row';
    if ([SQLSTATE.uniqueViolation, SQLSTATE.serializationFailure].includes(error.sqlstate ?? '')) {
      return 'concurrent';
    }
  }
  // Two upgrades at once make the same objects: the later one collides in the catalog.
  if (error.sqlstate === SQLSTATE.uniqueViolation && error.schema === 'pg_catalog') return 'concurrent';
  if (has('alembic.script.revision.MultipleHeads')) return 'several_heads';
  if (has('alembic.script.revision.ResolutionError')) return 'unknown_revision';
  const connected = observed.connections.length > 0;
  const outside = error.classes.some(
    (c) =>
      /\.(OperationalError|InterfaceError|DBAPIError)$/.test(c) ||
      /^builtins\.\w*(OS|Connection|Timeout)Error$/.test(c),
  );
  if (!connected && outside) return 'unreachable';
  return 'failed';
}

/** The session in which an error arose: the one that it names, else the one of the last statement before it. */
export function connectionOf(error: ObservedError, observed: Observed): ObservedConnection | undefined {
  const id = error.connection ?? error.last?.connection ?? null;
  const found = observed.connections.find((connection) => connection.id === id);
  const [only] = observed.connections;
  return found ?? (observed.connections.length === 1 ? only : undefined);
}

/**
 * NOWAIT and lock_timeout have one SQLSTATE. The server's own function tells them apart, else its English words,
 * else a statement that has no NOWAIT anywhere and calls nothing.
 */
function lockKindOf({ routine, message, last }: ObservedError): AlembicTroubleKind {
  if (routine === 'ProcessInterrupts' || /due to lock timeout/.test(message)) return 'lock_timeout';
  if (routine === 'exec_stmt_raise') return 'lock_unavailable';
  if (routine !== null || /could not obtain lock on/.test(message)) return 'lock_nowait';
  const sql = last?.sql ?? 'select';
  return /\bnowait\b|^\s*(do|call|select|with|execute|values)\b/i.test(sql)
    ? 'lock_unavailable'
    : 'lock_timeout';
}

function sayRefusal(refused: ObservedRefusal): string {
  const found = typeof refused.found === 'object' ? JSON.stringify(refused.found) : String(refused.found);
  return `${refused.code}${refused.path === undefined ? '' : ` ${refused.path}`}: ${found}`;
}
