import type { Revisions } from '../../checks/revisions.js';
import { explain, withSession } from '../../checks/session.js';
import type { Observed } from '../../clients/alembic/observed.js';
import {
  cancelSessions,
  readOwnSessions,
  type Session,
  type SessionsOf,
  terminateSessions,
  waitGone,
} from '../../clients/postgres/activity.js';
import type { RevisionTable } from '../../clients/postgres/revision.js';
import type { TargetConfig } from '../../config.js';
import { readTraces, type Traces } from './traces.js';

/** Whether anything of a child works in a database any more. */
export type Leftover =
  | { readonly kind: 'gone' }
  /** A backend of the child is still at work, so that nothing read from the database means anything yet. */
  | { readonly kind: 'still_working'; readonly why: string }
  | { readonly kind: 'unread'; readonly why: string };

/** What is true of a database once nothing of the child works in it any more. */
export type Aftermath =
  | { readonly kind: 'settled'; readonly stored: RevisionTable; readonly traces: Traces }
  | Exclude<Leftover, { kind: 'gone' }>;

/** How long a backend whose client ended may go on before its statement is cancelled, ms. */
const patienceMs = 5_000;
const goneMs = 15_000;
const session = { applicationName: 'm10bot:settle', statementTimeoutMs: 10_000 };

/**
 * Sees to it that no session of a child is left. The death of a client does not end its backend: a lock wait or a
 * long statement goes on and may still commit nothing or fail, so it is waited for, then cancelled, then ended.
 */
export async function endSessions(target: TargetConfig, own: SessionsOf): Promise<Leftover> {
  const read = await withSession(target, session, async (database): Promise<Leftover> => {
    let gone = await waitGone(database, own, patienceMs);
    if (gone.kind === 'still_there') {
      await cancelSessions(database, own);
      gone = await waitGone(database, own, patienceMs);
    }
    if (gone.kind === 'still_there') {
      await terminateSessions(database, own);
      gone = await waitGone(database, own, goneMs);
    }
    if (gone.kind === 'gone') return gone;
    const pids = gone.sessions.map((s) => s.pid).join(', ');
    const why = `its session ${pids} could not be ended and may still change something`;
    return { kind: 'still_working', why };
  });
  return read.kind === 'ok' ? read.value : { kind: 'unread', why: `the database ${explain(read)}` };
}

/** Reads the revision and what else the server knows, after a child has ended and once nothing of it is at work. */
export async function settle(
  revisions: Revisions,
  target: TargetConfig,
  own: SessionsOf,
  observed: readonly (Observed | null)[],
): Promise<Aftermath> {
  const left = await endSessions(target, own);
  if (left.kind !== 'gone') return left;
  const read = await withSession(target, session, async (database) => ({
    stored: await revisions.read(target, database),
    traces: await readTraces(database, observed),
  }));
  return read.kind === 'ok'
    ? { kind: 'settled', ...read.value }
    : { kind: 'unread', why: `the database ${explain(read)}` };
}

export type Sighting =
  | {
      readonly kind: 'seen';
      readonly sessions: readonly Session[];
      readonly stored: RevisionTable;
      readonly traces: Traces;
    }
  | { readonly kind: 'unread'; readonly why: string };

/** What an interrupted attempt left: its sessions, the revision, and other traces, read in this order. */
export async function sight(
  revisions: Revisions,
  target: TargetConfig,
  own: SessionsOf,
  observed: readonly (Observed | null)[] = [],
): Promise<Sighting> {
  const read = await withSession(target, { applicationName: 'm10bot:probe' }, async (database) => ({
    sessions: await readOwnSessions(database, own),
    stored: await revisions.read(target, database),
    traces: await readTraces(database, observed),
  }));
  return read.kind === 'ok'
    ? { kind: 'seen', ...read.value }
    : { kind: 'unread', why: `the database ${explain(read)}` };
}
