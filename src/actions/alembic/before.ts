import { who } from '../../checks/postgres-activity.js';
import type { Revisions } from '../../checks/revisions.js';
import { explain, withSession } from '../../checks/session.js';
import { readRunningDumps, readSessionsByName } from '../../clients/postgres/activity.js';
import type { RevisionTable } from '../../clients/postgres/revision.js';
import type { TargetConfig } from '../../config.js';

export type Before =
  | { readonly kind: 'read'; readonly stored: RevisionTable; readonly inTheWay: string | null }
  | { readonly kind: 'unread'; readonly why: string };

/** The revision right before a change, and whether a dump or another change of the bot is at work. */
export async function readBefore(
  revisions: Revisions,
  target: TargetConfig,
  applicationName: string,
): Promise<Before> {
  const read = await withSession(target, { applicationName: 'm10bot:before' }, async (database) => {
    const [dump] = await readRunningDumps(database);
    const [other] = (await readSessionsByName(database, 'm10bot:')).filter(
      (s) => /^m10bot:\d/.test(s.applicationName) && s.applicationName !== applicationName,
    );
    const stored = await revisions.read(target, database);
    if (dump !== undefined) {
      return { stored, inTheWay: `a dump is running (${who(dump)}) and holds a lock on every table` };
    }
    return { stored, inTheWay: other === undefined ? null : `another step is at work (${who(other)})` };
  });
  return read.kind === 'ok'
    ? { kind: 'read', ...read.value }
    : { kind: 'unread', why: `the database of ${target.name} ${explain(read)}` };
}
