import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcesses } from '../../src/clients/process.js';
import {
  forbidsChanges,
  harmOfEnd,
  readSupervisor,
  type Surroundings,
  unitOf,
} from '../../src/clients/supervisor.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'm10-supervisor-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const service = '0::/system.slice/m10bot.service\n';
const around = (given: Partial<Surroundings>): Surroundings => ({
  cgroup: '',
  pid: 4_711,
  parent: 800,
  contained: false,
  ...given,
});

/** A systemctl of this machine that answers for the unit. */
async function systemctl(name: string, script: string): Promise<Record<string, string>> {
  const bin = join(folder, name);
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'systemctl'), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, 'systemctl'), 0o755);
  return { PATH: `${bin}:/usr/bin:/bin` };
}
const processes = () => createProcesses({ directory: join(folder, 'children') });

describe('who ends the bot', () => {
  it.each([
    [service, 'm10bot.service'],
    ['12:pids:/system.slice/x.service\n1:name=systemd:/system.slice/m10bot.service\n', 'm10bot.service'],
    ['0::/user.slice/user-0.slice/user@0.service/app.slice/m10.service\n', 'm10.service'],
    ['0::/user.slice/user-0.slice/session-3.scope\n', null],
    ['0::/\n', null],
    ['', null],
  ])('is read from %j', (cgroup, unit) => {
    expect(unitOf(cgroup)).toBe(unit);
  });

  it('systemd, with the unit’s KillMode as systemd has it', async () => {
    const env = await systemctl('answers', 'test "$4" = m10bot.service && echo control-group');
    const found = await readSupervisor(processes(), env, around({ cgroup: service }));
    expect(found).toEqual({ kind: 'systemd', unit: 'm10bot.service', killMode: 'control-group' });
    expect(forbidsChanges(found)).toBe(true);
    expect(harmOfEnd(found)?.what).toContain('KillMode=control-group');
    expect(harmOfEnd(found)?.todo).toContain('KillMode=process');
  });

  it('systemd that leaves programs alone does no harm', async () => {
    const env = await systemctl('process', 'echo process');
    const found = await readSupervisor(processes(), env, around({ cgroup: service }));
    expect(forbidsChanges(found)).toBe(false);
    expect(harmOfEnd(found)).toBeNull();
  });

  it('systemd that cannot be asked is told and forbids nothing', async () => {
    const env = await systemctl('broken', 'echo "Failed to connect to bus" >&2; exit 1');
    const found = await readSupervisor(processes(), env, around({ cgroup: service }));
    expect(found).toMatchObject({ kind: 'systemd', killMode: null });
    expect(forbidsChanges(found)).toBe(false);
    expect(harmOfEnd(found)?.what).toContain('could not be read');
  });

  it('a container, for its first process and the one below an init', async () => {
    for (const first of [
      { pid: 1, parent: 0 },
      { pid: 7, parent: 1 },
    ]) {
      const found = await readSupervisor(processes(), {}, around({ contained: true, ...first }));
      expect(found).toEqual({ kind: 'container' });
      expect(harmOfEnd(found)?.what).toContain('ends a change that is under way');
      expect(forbidsChanges(found)).toBe(false);
    }
    const shell = await readSupervisor(processes(), {}, around({ contained: true }));
    expect(shell).toEqual({ kind: 'none' });
  });
});
