import type { Observed, ObservedConnection } from '../../clients/alembic/observed.js';

/** Why an Alembic that was seen at work must not migrate this target; null when it works on the target alone. */
export function databaseProblem(target: string, observed: Observed): string | null {
  const ran = observed.contexts.filter((context) => !context.offline);
  // Where nothing came to run, whatever was made tells at least where it would have.
  const contexts = ran.length > 0 ? ran : observed.configured.filter((context) => !context.offline);
  for (const context of contexts) {
    const connection = observed.connections.find((c) => c.id === context.connection);
    if (connection?.target === true) continue;
    return `Alembic works on another database than ${target}: ${sayConnection(connection)}. Its env.py does not go by DATABASE_URL alone (a .env file, alembic.ini or a setting wins). Correct that first`;
  }
  if (ran.length > 1) {
    const tables = ran.map((c) => (c.schema === null ? c.table : `${c.schema}.${c.table}`));
    return `env.py runs the migrations ${ran.length} times (version tables ${tables.join(', ')}). m10bot carries one version table for each target: let env.py migrate the one that DATABASE_URL names`;
  }
  const [foreign] = observed.connections.filter((c) => c.target === false);
  if (contexts.length === 0 && foreign !== undefined) {
    return `Alembic connects to another database than ${target}: ${sayConnection(foreign)}`;
  }
  return null;
}

export function sayConnection(connection: ObservedConnection | undefined): string {
  if (connection === undefined) return 'no database connection was seen';
  if (connection.dialect !== 'postgresql') return `a database of the kind ${connection.dialect ?? 'unknown'}`;
  const server =
    connection.address == null ? 'a local socket' : `${connection.address}:${connection.port ?? '?'}`;
  return `database ${connection.database ?? '?'} on ${server}`;
}
