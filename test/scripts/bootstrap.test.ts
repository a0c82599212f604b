import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { repositoryRoot } from '../../workspace/services/tools.js';

let folder = '';
let scripts = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'm10 bootstrap '));
  scripts = join(await repositoryRoot(), 'scripts');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A folder of PATH with nothing but these programs. */
async function programs(name: string, contents: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const [program, text] of Object.entries(contents)) {
    await writeFile(join(path, program), `#!/bin/sh\n${text}\n`);
    await chmod(join(path, program), 0o755);
  }
  return path;
}

/** Runs the script as npm does, with a PATH of our own and nothing on its standard input. */
function bootstrap(path: string) {
  const done = spawnSync(process.execPath, [join(scripts, 'bootstrap.mjs')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: path },
  });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

const Found = z.object({ found: z.record(z.string(), z.string()), missing: z.array(z.string()) });

/** What the search finds in these folders and nowhere else. */
function find(...folders: string[]) {
  const code = `const { findPrograms } = await import(process.argv[1]);
    console.log(JSON.stringify(findPrograms(process.argv[2], [])));`;
  const module = pathToFileURL(join(scripts, 'programs.mjs')).href;
  const args = ['--input-type=module', '-e', code, module, folders.join(delimiter)];
  return Found.parse(JSON.parse(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout));
}

const CLIENTS = (major: number) => {
  const says = `echo "pg_dump (PostgreSQL) ${major}.1"`;
  return { psql: says, pg_dump: says, pg_restore: says };
};

test('without the programs and without apt, the exact commands are printed and the exit code is 2', async () => {
  const { status, stdout, stderr } = bootstrap(await programs('empty', {}));
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('  - redis-server\n');
  expect(stderr).toContain('  - a python3 that can import alembic, psycopg2, pytest and redis\n');
  expect(stderr).toMatch(
    /^ {2}sudo apt-get install -y --no-install-recommends redis-server .*alembic python3-psycopg2 python3-pytest python3-redis/m,
  );
  expect(stderr).toMatch(/^ {2}sudo dnf install -y redis /m);
  expect(stderr).toMatch(/^ {2}brew install redis /m);
  expect(stderr).toMatch(/pip install .*alembic psycopg2-binary pytest redis/);
});

/** What the bootstrap of the tests says about promtool when this is the path and none was fetched before. */
function promtool(path: string, step: 'look' | 'fetch') {
  const code = `const { preparePrograms, preparePromtool } = await import(process.argv[1]);
    const [path, own, step] = process.argv.slice(2);
    try {
      const said = (line) => console.log(line);
      if (step === 'look') preparePrograms(path, said, true, own);
      else console.log('found ' + preparePromtool({}, path, said, own).promtool);
    } catch (error) {
      console.log(error.exitCode, error.message);
    }`;
  const module = pathToFileURL(join(scripts, 'bootstrap.mjs')).href;
  const own = join(folder, 'cache', 'promtool');
  const args = ['--input-type=module', '-e', code, module, path, own, step];
  return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
}

test('promtool is asked for by the tests alone, with its commands where it cannot be fetched', async () => {
  const path = await programs('no promtool', {});
  expect(bootstrap(path).stderr).not.toMatch(/promtool|prometheus/);
  const said = promtool(path, 'look');
  expect(said).toMatch(/^2 These programs are missing:/);
  expect(said).toContain('  - promtool of Prometheus 2 or newer, for the tests\n');
  expect(said).toMatch(/apt-get install .* prometheus$/m);
  expect(said).toMatch(/dnf install .* golang-github-prometheus$/m);
  expect(said).toMatch(/brew install .* prometheus$/m);
  const there = await programs('with promtool', { promtool: 'exit 0' });
  expect(promtool(there, 'look')).not.toMatch(/promtool|prometheus/);
  expect(promtool(there, 'fetch')).toBe(`found ${join(there, 'promtool')}\n`);
});

test('promtool is taken out of a downloaded package, and nothing is installed', async () => {
  const fetching = {
    'apt-get': `[ "$*" = "download -q prometheus" ] || exit 100; echo package > prometheus_2_all.deb`,
    'dpkg-deb': `[ "$1 $2" = "--fsys-tarfile prometheus_2_all.deb" ] || exit 2; exec cat "$2"`,
    tar: `[ "$*" = "-x ./usr/bin/promtool" ] || exit 2
      mkdir -p usr/bin; cat > usr/bin/promtool; chmod +x usr/bin/promtool`,
  };
  const path = await programs('fetching', fetching);
  for (const program of ['cat', 'mkdir', 'chmod', 'rm'])
    await symlink(`/bin/${program}`, join(path, program));
  const own = join(folder, 'cache', 'promtool');
  expect(promtool(path, 'look')).not.toMatch(/promtool|prometheus/);
  expect(promtool(path, 'fetch')).toMatch(/^Downloading promtool .*\nfound .*promtool\n$/);
  expect(await readdir(join(folder, 'cache'))).toEqual(['promtool']);
  // The next time there is nothing to do.
  expect(promtool(path, 'fetch')).toBe(`found ${own}\n`);
});

test('when the download fails, its output and the commands are printed', async () => {
  const refuses = 'echo "E: Unable to locate package prometheus" >&2; exit 100';
  const path = await programs('refusing', { 'apt-get': refuses, 'dpkg-deb': 'exit 2', tar: 'exit 2' });
  const said = promtool(path, 'fetch');
  expect(said).toContain('The download failed:\nE: Unable to locate package prometheus\n2 These programs');
  expect(said).toMatch(/apt-get install .* prometheus$/m);
  expect(await readdir(join(folder, 'cache'))).toEqual([]);
});

test('only what is missing is named', async () => {
  const path = await programs('some', { 'redis-server': 'exit 0', git: 'exit 0' });
  const { status, stderr } = bootstrap(path);
  expect(status).toBe(2);
  expect(stderr).not.toContain('redis-server');
  expect(stderr).not.toMatch(/install .*\bgit\b/);
  expect(stderr).toContain('alembic');
});

test('when apt fails, the end of its output and the commands are printed, and no service policy stays', async () => {
  const apt = `[ "$1" = update ] && exit 0; echo "E: Unable to locate package" "$@" >&2; exit 100`;
  const path = await programs('broken apt', { 'apt-get': apt, sudo: 'shift; exec "$@"' });
  for (const program of ['rm', 'chmod']) await symlink(`/bin/${program}`, join(path, program));
  const policy = existsSync('/usr/sbin/policy-rc.d');
  const { status, stdout, stderr } = bootstrap(path);
  expect(status).toBe(2);
  expect(stdout).toMatch(/Unable to locate package install -y -q --no-install-recommends redis-server/);
  expect(stderr).toContain('sudo apt-get install');
  expect(existsSync('/usr/sbin/policy-rc.d')).toBe(policy);
});

test('a first python3 without the modules is passed over for one that has them', async () => {
  const shim = await programs('shim', { python3: 'echo "No module named alembic" >&2; exit 1' });
  const { found } = find(shim, ...inject('toolPath').split(delimiter));
  expect(found.python3).toMatch(/python3$/);
  expect(found.python3).not.toContain(shim);
  expect(find(shim).missing).toContain('python');
});

test('PostgreSQL clients older than 15 do not count', async () => {
  const old = await programs('old', CLIENTS(14));
  const current = await programs('current', CLIENTS(16));
  expect(find(old).missing).toContain('postgresql');
  expect(find(old, current).found.pg_dump).toBe(join(current, 'pg_dump'));
});

test('the launchers come first on the path, once, and run what was found', async () => {
  const quoted = await programs(`it's here`, { 'redis-server': 'echo "found $1"', python3: 'echo "$@"' });
  const code = `const { makeToolPath } = await import(process.argv[1]);
    const [folder, tools] = process.argv.slice(2);
    const found = { 'redis-server': folder + '/redis-server', python3: folder + '/python3' };
    console.log(makeToolPath(found, tools, makeToolPath(found, tools, '/usr/bin')));`;
  const module = pathToFileURL(join(scripts, 'programs.mjs')).href;
  const tools = join(folder, 'tools');
  const args = ['--input-type=module', '-e', code, module, quoted, tools];
  expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout.trim()).toBe(`${tools}:/usr/bin`);
  const run = (program: string, ...rest: string[]) =>
    spawnSync(join(tools, program), rest, { encoding: 'utf8' }).stdout.trim();
  expect(run('redis-server', '--version')).toBe('found --version');
  expect(run('alembic', 'current')).toBe('-m alembic current');
});

test.each([
  ['20.18.3', false],
  ['18.20.0', false],
  ['20.19.0', true],
  ['24.1.0', true],
])('Node %s is accepted: %s', (version, accepted) => {
  const code = `const { checkNode } = await import(process.argv[1]);
    try {
      checkNode(process.argv[2]);
      console.log('accepted');
    } catch (error) {
      console.log(error.exitCode, error.message);
    }`;
  const module = pathToFileURL(join(scripts, 'bootstrap.mjs')).href;
  const args = ['--input-type=module', '-e', code, module, version];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stdout).toContain(accepted ? 'accepted' : `2 Node ${version} is too old: 20.19 or newer is needed.`);
});

test('npm ci may be replaced by npm install only when nothing but optional packages is missing', () => {
  const code = `const { lacksOptionalOnly } = await import(process.argv[1]);
    const lock = { packages: { 'node_modules/a': { optionalDependencies: { '@a/mac': '1', 'a-win': '1' } } } };
    const judge = (...lines) => lacksOptionalOnly(lines.map((line) => 'npm error ' + line).join('\\n'), lock);
    console.log(JSON.stringify([
      judge('code EUSAGE', 'Missing: @a/mac@ from lock file', 'Missing: a-win@1.0.0 from lock file'),
      judge('Missing: @a/mac@ from lock file', 'Missing: left@1.3.0 from lock file'),
      judge("Invalid: lock file's a-win@1.0.0 does not satisfy a-win@2.0.0"),
      judge('network timeout'),
    ]));`;
  const module = pathToFileURL(join(scripts, 'modules.mjs')).href;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', code, module], { encoding: 'utf8' });
  expect(JSON.parse(done.stdout)).toEqual([true, false, false, false]);
});
