import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { freshDatabase, freshRedis } from './database.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('a fresh database is a copy of its template, and is gone after drop', async () => {
  const template = await freshDatabase('Support template');
  await query(template.url, 'create table thing as select 42 as answer');
  const copy = await freshDatabase('copy', { template: template.name });
  expect(await query(copy.url, 'select answer from thing')).toEqual([{ answer: 42 }]);
  await copy.drop();
  await template.drop();
  const left = `select datname from pg_database where datname in ('${copy.name}', '${template.name}')`;
  expect(await query(inject('postgresAdminUrl'), left)).toEqual([]);
});

test('a database is dropped under an open connection', async () => {
  const database = await freshDatabase('busy');
  const client = new pg.Client({ connectionString: database.url });
  const ended = new Promise((done) => client.on('error', done));
  await client.connect();
  await database.drop();
  expect(await ended).toMatchObject({ code: '57P01' });
});

test('each fresh Redis is a logical database of its own', async () => {
  const [one, other] = [await freshRedis(), await freshRedis()];
  expect(one.url).not.toBe(other.url);
  const clients = [new Redis(one.url), new Redis(other.url)] as const;
  try {
    await clients[0].set('key', 'one');
    expect(await clients[1].get('key')).toBeNull();
    await one.drop();
    expect(await clients[0].dbsize()).toBe(0);
  } finally {
    for (const client of clients) client.disconnect();
  }
});
