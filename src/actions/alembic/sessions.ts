import type { Observed } from '../../clients/alembic/observed.js';
import { readObserved } from '../../clients/alembic.js';
import type { Backend, SessionsOf } from '../../clients/postgres/activity.js';
import type { Processes } from '../../clients/process.js';

/** The backends that an observed Alembic worked in: they are found again whatever name env.py gives its sessions. */
export function backendsOf(observed: Observed | null): Backend[] {
  return (observed?.connections ?? []).flatMap(({ pid, backend_start, target }) =>
    pid === undefined || target === false ? [] : [{ pid, start: backend_start ?? null }],
  );
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
