import { expect, it } from 'vitest';
import { readRevision } from '../../../src/clients/postgres/revision.js';
import { freshDatabase } from '../../support/database.js';
import { openDatabase } from '../open.js';

it('reads the version table of the search path or of a schema, whatever their names', async () => {
  const fresh = await freshDatabase('clients revision');
  const database = await openDatabase(fresh.url);
  expect(await readRevision(database)).toEqual({ kind: 'none', table: false });
  await database.query('create schema "Odd ""Schema"');
  await database.query('create table "Odd ""Schema".alembic_version (version_num text)');
  const schema = 'Odd "Schema';
  expect(await readRevision(database, { schema, table: 'alembic_version' })).toEqual({
    kind: 'none',
    table: true,
  });
  await database.query('insert into "Odd ""Schema".alembic_version values ($1)', ['021']);
  expect(await readRevision(database, { schema, table: 'alembic_version' })).toEqual({
    kind: 'at',
    revision: '021',
  });
  await database.query('insert into "Odd ""Schema".alembic_version values ($1)', ['022']);
  expect(await readRevision(database, { schema, table: 'alembic_version' })).toEqual({
    kind: 'several',
    revisions: ['021', '022'],
  });
  expect(await readRevision(database)).toEqual({ kind: 'none', table: false });
  await database.close();
  await fresh.drop();
});
