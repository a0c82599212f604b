import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJobCovers } from '../../src/checks/jobs/covers.js';
import type { TargetConfig } from '../../src/config.js';
import { JobsFile, jobsConfig } from '../../src/config-jobs.js';

const job = 'retention-cleanup';
let folder: string;
let backend: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'covers-'));
  backend = join(folder, 'backend');
  await mkdir(join(backend, 'scripts'), { recursive: true });
  await program(join(folder, 'clean-up'), '#!/bin/sh\necho "{}"\n');
  await writeFile(join(backend, 'scripts', 'ops.py'), 'print("ok")\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(path: string, text: string) {
  await writeFile(path, text);
  await chmod(path, 0o755);
}

async function parts(section: object = {}, change: Partial<TargetConfig> = {}) {
  const target: TargetConfig = {
    name: 'production',
    databaseUrl: 'postgresql://owner:hunter2@db:5432/shop',
    redisUrl: 'redis://:s3cret@cache:6379/1',
    directory: backend,
    env: { PATH: folder },
    metricsUrl: null,
    gate: { approvals: 1, expires: 1 },
    ...change,
  };
  const jobs = jobsConfig(JobsFile.parse({ target: 'production', [job]: section }));
  const read = await createJobCovers({ jobs, target, redact: (text) => text })(job);
  if (read.kind === 'failed') throw new Error(read.why);
  return read.parts;
}

const command = { command: { argv: ['clean-up', '--all'] } };
/** Names of the parts that differ between two readings. */
async function differing(first: Record<string, string>, second: Record<string, string>) {
  const names = new Set([...Object.keys(first), ...Object.keys(second)]);
  return [...names].filter((name) => first[name] !== second[name]).sort();
}

describe('what a built-in job does', () => {
  it('is its configuration and the place it works on', async () => {
    const before = await parts();
    expect(await differing(before, await parts())).toEqual([]);
    expect(await differing(before, await parts({ outbox: '1d' }))).toEqual(['outbox']);
    expect(await differing(before, await parts({ schedule: '* * * * *' }))).toEqual(['schedule']);
    const elsewhere = { databaseUrl: 'postgresql://owner:hunter2@db2:5432/shop' };
    expect(await differing(before, await parts({}, elsewhere))).toEqual(['database']);
    expect(before.database).toBe('owner@db:5432/shop');
  });

  it('is not a password, and not the code of the backend', async () => {
    const before = await parts();
    await writeFile(join(backend, 'scripts', 'ops.py'), 'print("other")\n');
    const rotated = {
      databaseUrl: 'postgresql://owner:correct-horse@db:5432/shop',
      redisUrl: 'redis://:other@cache:6379/1',
    };
    expect(await differing(before, await parts({}, rotated))).toEqual([]);
    expect(JSON.stringify(before)).not.toMatch(/hunter2|s3cret/);
  });
});

describe('what a program does', () => {
  it('is the file that is found by its name, through links too', async () => {
    const before = await parts(command);
    await program(join(folder, 'clean-up'), '#!/bin/sh\necho "{}" # and more\n');
    expect(await differing(before, await parts(command))).toEqual(['program file']);
    await rm(join(folder, 'clean-up'));
    expect((await parts(command))['program file']).toMatch(/not found/);
    await program(join(folder, 'real'), '#!/bin/sh\necho "{}"\n');
    await symlink(join(folder, 'real'), join(folder, 'clean-up'));
    const linked = await parts(command);
    await program(join(folder, 'real'), '#!/bin/sh\nrm -rf /srv\n');
    expect(await differing(linked, await parts(command))).toEqual(['program file']);
  });

  it('is the code below the directory, and the difference says where', async () => {
    const before = await parts(command);
    await writeFile(join(backend, 'scripts', 'ops.py'), 'print("other")\n');
    expect(await differing(before, await parts(command))).toEqual([`code in ${backend}/scripts`]);
    const then = await parts(command);
    await mkdir(join(backend, '__pycache__'));
    await writeFile(join(backend, '__pycache__', 'ops.cpython.pyc'), 'compiled');
    await writeFile(join(backend, 'scripts', 'run.log'), 'a line');
    expect(await differing(then, await parts(command)), 'what programs write').toEqual([]);
  });

  it('is the files that its arguments name, wherever they are', async () => {
    const config = join(folder, 'jobs.toml');
    await writeFile(config, 'days = 30\n');
    for (const argument of [config, `--config=${config}`]) {
      const with_ = { command: { argv: ['clean-up', argument] } };
      await writeFile(config, 'days = 30\n');
      const before = await parts(with_);
      await writeFile(config, 'days = 1\n');
      expect(await differing(before, await parts(with_))).toEqual([`file ${argument}`]);
    }
  });

  it('is its arguments, its directory and the names of its environment', async () => {
    const before = await parts(command);
    const more = { command: { argv: ['clean-up', '--all', '--now'] } };
    expect(await differing(before, await parts(more))).toEqual(['program']);
    const below = { command: { ...command.command, cwd: 'scripts' } };
    expect(await differing(before, await parts(below))).toEqual(['directory']);
    const named = { env: { PATH: folder, DAYS: '1' } };
    expect(await differing(before, await parts(command, named))).toEqual(['environment']);
  });

  it('cannot be said when a file is there and cannot be read', async () => {
    const jobs = jobsConfig(JobsFile.parse({ target: 'production', [job]: command }));
    const target = {
      name: 'production',
      databaseUrl: 'postgresql://owner@db/shop',
      redisUrl: null,
      directory: join(folder, 'nowhere'),
      env: { PATH: folder },
      metricsUrl: null,
      gate: { approvals: 1, expires: 1 },
    };
    const read = await createJobCovers({ jobs, target, redact: (text) => text })(job);
    expect(read).toMatchObject({ kind: 'failed', why: expect.stringMatching(/nowhere/) });
  });
});
