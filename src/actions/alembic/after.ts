import { explain, withSession } from '../../checks/session.js';
import {
  cancelSessions,
  readSessionsByName,
  type Session,
  terminateSessions,
  waitGone,
} from '../../clients/postgres/activity.js';
import { type RevisionTable, readRevision } from '../../clients/postgres/revision.js';
import type { TargetConfig } from '../../config.js';

/** What is true of a database once nothing of the child works in it any more. */
export type Aftermath =
  | { readonly kind: 'settled'; readonly stored: RevisionTable }
  /** A backend of the child is still at work, so that the revision means nothing yet. */
  | { readonly kind: 'still_working'; readonly why: string }
  | { readonly kind: 'unread'; readonly why: string };

/** How long a backend whose client ended may go on before its statement is cancelled, ms. */
const patienceMs = 5_000;
const goneMs = 15_000;

/**
 * Reads the revision after a child has ended. The death of a client does not end its backend: a lock wait or a
 * long statement goes on and may still commit nothing or fail, so it is waited for, then cancelled, then ended.
 */
export async function settle(target: TargetConfig, applicationName: string): Promise<Aftermath> {
  const session = { applicationName: 'm10bot:settle', statementTimeoutMs: 10_000 };
  const read = await withSession(target, session, async (database): Promise<Aftermath> => {
    let gone = await waitGone(database, applicationName, patienceMs);
    if (gone.kind === 'still_there') {
      await cancelSessions(database, applicationName);
      gone = await waitGone(database, applicationName, patienceMs);
    }
    if (gone.kind === 'still_there') {
      await terminateSessions(database, applicationName);
      gone = await waitGone(database, applicationName, goneMs);
    }
    if (gone.kind === 'still_there') {
      const pids = gone.sessions.map((s) => s.pid).join(', ');
      return {
        kind: 'still_working',
        why: `its session ${pids} could not be ended and may still change something`,
      };
    }
    return { kind: 'settled', stored: await readRevision(database) };
  });
  return read.kind === 'ok' ? read.value : { kind: 'unread', why: `the database ${explain(read)}` };
}

export type Sighting =
  | { readonly kind: 'seen'; readonly sessions: readonly Session[]; readonly stored: RevisionTable }
  | { readonly kind: 'unread'; readonly why: string };

/** What an interrupted attempt left: its sessions, and the revision, read in this order. */
export async function sight(target: TargetConfig, applicationName: string): Promise<Sighting> {
  const read = await withSession(target, { applicationName: 'm10bot:probe' }, async (database) => ({
    sessions: (await readSessionsByName(database, applicationName)).filter(
      (s) => s.applicationName === applicationName,
    ),
    stored: await readRevision(database),
  }));
  return read.kind === 'ok'
    ? { kind: 'seen', ...read.value }
    : { kind: 'unread', why: `the database ${explain(read)}` };
}
