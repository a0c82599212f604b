import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type Backup, createBackup, digest, parseList } from '../../src/clients/backup.js';
import { createProcesses } from '../../src/clients/process.js';
import { majorOf } from '../../src/clients/tools.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { openDatabase } from './open.js';

let directory: string;
let backups: string;
let fresh: FreshDatabase;
let serverMajor: number;
let next = 0;

function backupOf(databaseUrl = fresh.url, path = inject('toolPath')): Backup {
  next += 1;
  return createBackup({
    processes: createProcesses({ directory: join(directory, 'children') }),
    id: `backup/${next}`,
    env: { PATH: path },
    databaseUrl,
    applicationName: 'm10bot:backup:test',
  });
}

const limits = () => ({ serverMajor, timeoutMs: 60_000, lockTimeoutMs: 2_000 });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'm10-backup-'));
  backups = mkdtempSync(join(directory, 'files-'));
  fresh = await freshDatabase('clients backup');
  const database = await openDatabase(fresh.url);
  await database.query('create schema app');
  await database.query(
    'create table app.thing as select i, md5(i::text) || md5((i + 1)::text) as text from generate_series(1, 20000) i',
  );
  serverMajor = majorOf(String((await database.query('show server_version')).rows[0]?.server_version));
  await database.close();
});
afterAll(async () => {
  await fresh.drop();
  rmSync(directory, { recursive: true, force: true });
});

it('dumps to a file of its owner, and proves by reading it whole', async () => {
  const path = join(backups, 'good.dump');
  const dumped = await backupOf().dump({ path, ...limits() });
  expect(dumped).toMatchObject({ kind: 'dumped', path, tables: ['app.thing'], sha256: await digest(path) });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(backups)).toEqual(['good.dump']);
  const proof = await backupOf().prove(path, { timeoutMs: 60_000 });
  expect(proof).toMatchObject({ kind: 'readable', bytes: statSync(path).size, tables: ['app.thing'] });
  expect(await backupOf().dump({ path, ...limits() })).toEqual({ kind: 'exists', path });
  rmSync(path);
});

it('finds a dump that is cut, which its list does not show', async () => {
  const path = join(backups, 'cut.dump');
  await backupOf().dump({ path, ...limits() });
  truncateSync(path, Math.floor(statSync(path).size * 0.99));
  const proof = await backupOf().prove(path, { timeoutMs: 60_000 });
  expect(proof).toMatchObject({ kind: 'unreadable', evidence: expect.stringContaining('end of file') });
  truncateSync(path, 0);
  expect(await backupOf().prove(path, { timeoutMs: 60_000 })).toEqual({ kind: 'empty' });
  writeFileSync(path, 'no dump at all');
  expect(await backupOf().prove(path, { timeoutMs: 60_000 })).toMatchObject({ kind: 'unreadable' });
  rmSync(path);
  expect(await backupOf().prove(path, { timeoutMs: 60_000 })).toEqual({ kind: 'missing', path });
});

it('leaves no file when the dump fails', async () => {
  const absent = new URL(fresh.url);
  absent.pathname = '/no_such_database';
  const result = await backupOf(absent.href).dump({ path: join(backups, 'absent.dump'), ...limits() });
  expect(result).toMatchObject({ kind: 'failed', evidence: expect.stringContaining('does not exist') });
  const locker = await openDatabase(fresh.url);
  await locker.query('begin');
  await locker.query('lock table app.thing in access exclusive mode');
  const waiting = await backupOf().dump({
    path: join(backups, 'locked.dump'),
    ...limits(),
    lockTimeoutMs: 100,
  });
  expect(waiting).toMatchObject({
    kind: 'failed',
    evidence: expect.stringContaining('LOCK TABLE app.thing'),
  });
  await locker.close();
  expect(readdirSync(backups)).toEqual([]);
});

it('never writes over a dump that is under way', async () => {
  const path = join(backups, 'busy.dump');
  writeFileSync(`${path}.part`, 'of another');
  expect(await backupOf().dump({ path, ...limits() })).toEqual({ kind: 'exists', path: `${path}.part` });
  expect(readFileSync(`${path}.part`, 'utf8')).toBe('of another');
  await backupOf().discardPart(path);
  expect(readdirSync(backups)).toEqual([]);
});

it('says before it starts what would go wrong', async () => {
  const path = join(backups, 'never.dump');
  expect(await backupOf().dump({ path, ...limits(), serverMajor: 99 })).toMatchObject({
    kind: 'client_too_old',
    program: 'pg_dump',
    server: 99,
  });
  expect(await backupOf(fresh.url, '/nonexistent').dump({ path, ...limits() })).toMatchObject({
    kind: 'tool',
  });
  const nowhere = join(directory, 'absent', 'x.dump');
  expect(await backupOf().dump({ path: nowhere, ...limits() })).toMatchObject({ kind: 'not_writable' });
});

it('keeps the password out of the arguments', async () => {
  const path = join(backups, 'secret.dump');
  const processes = createProcesses({ directory: join(directory, 'seen') });
  const backup = createBackup({
    processes,
    id: 'secret',
    env: { PATH: inject('toolPath') },
    databaseUrl: fresh.url,
    applicationName: 'x',
  });
  await backup.dump({ path, ...limits() });
  const { password } = new URL(fresh.url);
  expect(password).not.toBe('');
  expect(readFileSync(processes.paths('secret/dump').child, 'utf8')).not.toContain(password);
  rmSync(path);
});

it('tells tables from their data in a list', () => {
  const list = [
    ';',
    '; Archive created at 2025-12-09',
    '215; 1259 16385 TABLE app with space owner',
    '3300; 0 16385 TABLE DATA app with space owner',
    '3301; 0 0 TABLE ATTACH app part owner',
    '6; 2615 16384 SCHEMA - app owner',
    '',
  ].join('\n');
  expect(parseList(list)).toEqual({ entries: 4, tables: ['app.with space'] });
});
