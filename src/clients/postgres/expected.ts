import { z } from 'zod';
import type { ExpectedDatabase } from '../alembic/observe.js';
import type { Queryable } from '../postgres.js';
import { readIdentity } from './identity.js';

/** What tells this database from every other one, in the form that the observer compares. */
export async function readExpectedDatabase(database: Queryable): Promise<ExpectedDatabase> {
  const identity = await readIdentity(database);
  const [row] = await database.rows(
    z.object({ started: z.string() }),
    'select extract(epoch from pg_postmaster_start_time())::text as started',
  );
  return {
    database: identity.databaseName,
    oid: identity.databaseOid,
    system: identity.systemIdentifier.kind === 'known' ? identity.systemIdentifier.value : null,
    started: row?.started ?? '',
  };
}
