import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import { createDatabase, dropDatabase } from '../../workspace/services/databases.js';
import { REDIS_DATABASES } from '../../workspace/services/redis.js';

export interface FreshDatabase {
  readonly name: string;
  /** Superuser URL of this database. */
  readonly url: string;
  /** Drops it with every connection that is still open; call it in afterAll. */
  drop(): Promise<void>;
}

/**
 * Creates a database for one test file on the shared server: `name` is for the eye, the rest is random.
 * With `template` it is a copy of that database, to which nobody may be connected.
 */
export async function freshDatabase(
  name: string,
  options: { readonly template?: string } = {},
): Promise<FreshDatabase> {
  const adminUrl = inject('postgresAdminUrl');
  // PostgreSQL cuts names at 63 bytes.
  const unique = `t_${name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 40)}_${randomBytes(5).toString('hex')}`;
  const url = await createDatabase(adminUrl, unique, options);
  return { name: unique, url, drop: () => dropDatabase(adminUrl, unique) };
}

export interface FreshRedis {
  /** URL of an empty logical database that no other test file of this run has. */
  readonly url: string;
  /** Empties it. */
  drop(): Promise<void>;
}

/** Takes an empty logical database of the shared Redis; the counter lies in database 0, where nobody writes. */
export async function freshRedis(): Promise<FreshRedis> {
  const url = new URL(inject('redisUrl'));
  const counter = new Redis(url.href);
  try {
    const index = await counter.incr('m10:test:databases');
    if (index >= REDIS_DATABASES) throw new Error('All logical databases of the test Redis are given away.');
    url.pathname = `/${index}`;
  } finally {
    counter.disconnect();
  }
  return {
    url: url.href,
    async drop() {
      const client = new Redis(url.href);
      try {
        await client.flushdb();
      } finally {
        client.disconnect();
      }
    },
  };
}
