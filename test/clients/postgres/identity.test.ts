import { afterAll, beforeAll, expect, it } from 'vitest';
import { readIdentity } from '../../../src/clients/postgres/identity.js';
import type { Database } from '../../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await freshDatabase('clients identity');
  database = await openDatabase(fresh.url);
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

it('says which database of which cluster it is', async () => {
  const other = await freshDatabase('clients identity');
  const second = await openDatabase(other.url);
  const [one, two] = [await readIdentity(database), await readIdentity(second)];
  await second.close();
  await other.drop();
  expect(one).toMatchObject({ databaseName: fresh.name, inRecovery: false, readOnly: false });
  expect(one.serverPort).toBe(Number(new URL(fresh.url).port));
  expect(one.versionNumber).toBeGreaterThanOrEqual(150_000);
  expect(one.systemIdentifier).toEqual(two.systemIdentifier);
  expect(one.systemIdentifier).toMatchObject({ kind: 'known', value: expect.stringMatching(/^\d{15,}$/) });
  expect(one.databaseOid).not.toBe(two.databaseOid);
});

it('says so when the system identifier may not be read, and leaves the transaction whole', async () => {
  await database.query('revoke execute on function pg_control_system() from public');
  await database.query('create role identity_reader');
  try {
    await database.rolledBack(async (tx) => {
      await tx.query('set local role identity_reader');
      expect((await readIdentity(tx)).systemIdentifier).toMatchObject({ kind: 'not_permitted' });
      expect((await tx.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
  } finally {
    await database.query('drop role identity_reader');
  }
});
