import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** object_in_use: somebody is still connected to the template. */
const OBJECT_IN_USE = '55006';
const TEMPLATE_DEADLINE_MS = 10_000;

async function asAdmin(adminUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** The same server and user, another database. */
export function urlOf(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}

/**
 * Creates a database and returns its URL; with `template` as a copy of that one, whose connections must be
 * closed: somebody who is just leaving is waited for.
 */
export async function createDatabase(
  adminUrl: string,
  name: string,
  { template }: { readonly template?: string } = {},
): Promise<string> {
  const from = template === undefined ? '' : ` template ${pg.escapeIdentifier(template)}`;
  const deadline = Date.now() + TEMPLATE_DEADLINE_MS;
  for (;;) {
    try {
      await asAdmin(adminUrl, `create database ${pg.escapeIdentifier(name)}${from}`);
      return urlOf(adminUrl, name);
    } catch (error) {
      const inUse = error instanceof Error && 'code' in error && error.code === OBJECT_IN_USE;
      if (!inUse || Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** Drops a database with its connections; nothing happens when it does not exist. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await asAdmin(adminUrl, `drop database if exists ${pg.escapeIdentifier(name)} with (force)`);
}
