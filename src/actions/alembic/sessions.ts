import type { Observed } from '../../clients/alembic/observed.js';
import { readObserved } from '../../clients/alembic.js';
import type { Backend, SessionsOf } from '../../clients/postgres/activity.js';
import type { Processes } from '../../clients/process.js';

/**
 * The backends of an observed Alembic on the target's server, other databases included: they are found again whatever
 * name env.py gives its sessions. A pid of another server means nothing here.
 */
export function backendsOf(observed: Observed | null): Backend[] {
  if (observed === null) return [];
  const server = observed.connections.find((c) => c.target === true)?.started ?? null;
  return observed.backends
    .filter((backend) => server !== null && backend.server === server)
    .map(({ pid, start }) => ({ pid, start }));
}

/** The sessions of an attempt, from what its children have reported so far. */
export async function sessionsOf(
  processes: Pick<Processes, 'paths'>,
  ids: readonly string[],
  applicationName: string,
): Promise<SessionsOf & { readonly observed: readonly (Observed | null)[] }> {
  const observed = await Promise.all(ids.map((id) => readObserved(processes, id)));
  return { applicationName, backends: observed.flatMap(backendsOf), observed };
}
