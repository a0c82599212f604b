import { z } from 'zod';
import { who } from '../../checks/postgres-activity.js';
import { readActivity } from '../../clients/postgres/activity.js';
import { placeName, type VersionPlace } from '../../clients/postgres/revision.js';
import type { Queryable } from '../../clients/postgres.js';

// Reading takes ACCESS SHARE and a row lock ROW SHARE: whoever holds more moves the revision.
const writersSql = `select l.pid from pg_locks l join pg_database d on d.oid = l.database
where d.datname = current_database() and l.relation = to_regclass($1) and l.granted
  and l.mode not in ('AccessShareLock', 'RowShareLock') and l.pid is distinct from pg_backend_pid()`;

/** Who is migrating the database now, by hand or otherwise; null when nobody is. */
export async function readMigrator(database: Queryable, place: VersionPlace): Promise<string | null> {
  const [writer] = await database.rows(z.object({ pid: z.int().nullable() }), writersSql, [placeName(place)]);
  if (writer === undefined) return null;
  const session = (await readActivity(database)).find((s) => s.pid === writer.pid);
  return session === undefined ? `session ${writer.pid ?? 'of a prepared transaction'}` : who(session);
}
