import { setTimeout as sleep } from 'node:timers/promises';
import { spoken } from '../../checks/outcome.js';
import { who } from '../../checks/postgres-activity.js';
import { withSession } from '../../checks/session.js';
import { type BlockedSession, readBlockers } from '../../clients/postgres/blockers.js';
import type { TargetConfig } from '../../config.js';

const everyMs = 250;

/**
 * Looks while `work` runs who is in its way, because afterwards nobody can tell.
 * @returns the work's value and the last blockers that were seen
 */
export async function watchingBlockers<T>(
  target: TargetConfig,
  applicationName: string,
  work: () => Promise<T>,
): Promise<{ value: T; blocked: readonly BlockedSession[] }> {
  let blocked: readonly BlockedSession[] = [];
  const over = new AbortController();
  const watching = withSession(target, { applicationName: 'm10bot:watch' }, async (database) => {
    while (!over.signal.aborted) {
      await sleep(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      const now = await readBlockers(database, { applicationName });
      if (now.length > 0) blocked = now;
    }
  });
  try {
    const value = await work();
    return { value, blocked };
  } finally {
    over.abort();
    await watching;
  }
}

/** Who was in the way, one line each; empty when nobody was seen. */
export function sayBlockers(blocked: readonly BlockedSession[]): string[] {
  return blocked.flatMap((session) =>
    session.by.map((blocker) => {
      const held = blocker.holds.map((lock) => `${lock.mode} on ${lock.relation ?? lock.type}`).join(', ');
      const age =
        blocker.transactionSeconds === null
          ? ''
          : `, in a transaction of ${spoken(blocker.transactionSeconds * 1_000)}`;
      const query = blocker.query === null ? '' : `: ${blocker.query.replace(/\s+/g, ' ')}`;
      return `${who(blocker)}${held === '' ? '' : ` holds ${held}`}${age}${query}`;
    }),
  );
}
