import { type ConnectOptions, connect, type Database } from '../../src/clients/postgres.js';

export async function openDatabase(url: string, more: Partial<ConnectOptions> = {}): Promise<Database> {
  const connection = await connect({
    url,
    applicationName: 'm10bot test',
    statementTimeoutMs: 20_000,
    lockTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    ...more,
  });
  if (connection.kind !== 'connected') throw new Error(connection.message);
  return connection.database;
}
