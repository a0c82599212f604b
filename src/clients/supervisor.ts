import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readingId } from './process/ids.js';
import type { Processes } from './process.js';

/** Who ends this process, and what that does to the programs it has started. */
export type Supervisor =
  | { readonly kind: 'none' }
  /** `killMode` as systemd.kill(5) has it; null when systemd could not be asked. */
  | { readonly kind: 'systemd'; readonly unit: string; readonly killMode: string | null }
  /** The first process of a container, or its child: all others end with the first. */
  | { readonly kind: 'container' };

export interface Surroundings {
  /** The text of /proc/self/cgroup; empty where there is none. */
  readonly cgroup: string;
  readonly pid: number;
  readonly parent: number;
  /** Whether the machine has the marks of a container. */
  readonly contained: boolean;
}

/** The unit by which systemd runs a process: the last folder of its cgroup, when that is a service. */
export function unitOf(cgroup: string): string | null {
  for (const line of cgroup.split('\n')) {
    // hierarchy:controllers:path, see cgroups(7); systemd's own is the unified one or `name=systemd`.
    const [, controllers = '?', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== '' && controllers !== 'name=systemd') continue;
    const last = path.split('/').at(-1) ?? '';
    if (last.endsWith('.service')) return last;
  }
  return null;
}

export function isInContainer({ pid, parent, contained }: Surroundings): boolean {
  return contained && (pid === 1 || parent === 1);
}

/** Looks at this process's own surroundings. Never throws: what cannot be read is not there. */
export async function readSupervisor(
  processes: Processes,
  env: Readonly<Record<string, string>>,
  around?: Surroundings,
): Promise<Supervisor> {
  const seen = around ?? {
    cgroup: await readFile('/proc/self/cgroup', 'utf8').catch(() => ''),
    pid: process.pid,
    parent: process.ppid,
    contained:
      ['/.dockerenv', '/run/.containerenv'].some(existsSync) || 'KUBERNETES_SERVICE_HOST' in process.env,
  };
  if (isInContainer(seen)) return { kind: 'container' };
  const unit = unitOf(seen.cgroup);
  if (unit === null) return { kind: 'none' };
  const user = seen.cgroup.includes('/user.slice/') ? ['--user'] : [];
  const asked = await processes.run({
    id: readingId('supervisor', 'systemctl'),
    argv: ['systemctl', ...user, 'show', '--property=KillMode', '--value', unit],
    cwd: '/',
    env,
    timeoutMs: 5_000,
  });
  const mode = asked.kind === 'exited' && asked.exitCode === 0 ? asked.stdout.trim() : '';
  return { kind: 'systemd', unit, killMode: mode === '' ? null : mode };
}

/** What an end of the bot does to a change under way, and what can be done; null when it does nothing. */
export function harmOfEnd(supervisor: Supervisor): { readonly what: string; readonly todo: string } | null {
  switch (supervisor.kind) {
    case 'none':
      return null;
    case 'container':
      return {
        what: 'the bot runs in a container, which ends with it: a stop of it ends a change that is under way',
        todo: 'give it as long as the longest step (terminationGracePeriodSeconds or stop_grace_period, and state.stop-wait in m10.yml), and deploy while no run is open',
      };
    case 'systemd': {
      const { unit, killMode } = supervisor;
      if (killMode === 'process') return null;
      const todo = `set KillMode=process for ${unit} (systemctl edit ${unit}), then systemctl daemon-reload`;
      return killMode === null
        ? { what: `whether a restart of ${unit} ends a change that is under way could not be read`, todo }
        : { what: `a restart of ${unit} ends a change that is under way (KillMode=${killMode})`, todo };
    }
  }
}

/** Whether changes must not begin: their end is one `systemctl restart` away, and one setting prevents it. */
export function forbidsChanges(supervisor: Supervisor): boolean {
  return supervisor.kind === 'systemd' && supervisor.killMode !== null && supervisor.killMode !== 'process';
}
