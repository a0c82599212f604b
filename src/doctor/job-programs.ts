import { existsSync } from 'node:fs';
import { findProgram } from '../clients/process/lookup.js';
import type { Config, TargetConfig } from '../config.js';
import type { JobsConfig } from '../config-jobs.js';
import { jobNames } from '../runbook/jobs/names.js';
import { createHostGuard } from '../scheduler/outbox/hosts.js';
import { type Check, type Finding, fine, problem } from './finding.js';

/** Where a program or an address is named, as people find it in m10.yml. */
interface Named {
  readonly key: string;
  readonly program: string;
}

/**
 * Programs and addresses that the jobs use: what is missing would be found out at the last phase, or at the first
 * event of its type. Programs are looked for and never started: they are the team's own, and may take any argument.
 */
export function jobProgramsCheck(config: Pick<Config, 'jobs' | 'targets'>): Check[] {
  const { jobs } = config;
  const target = jobs === null ? undefined : config.targets[jobs.target];
  if (jobs === null || target === undefined) return [];
  const named = programsOf(jobs);
  const closed = closedAddresses(jobs);
  if (named.length === 0 && closed.length === 0) return [];
  const what = `programs of the jobs on ${target.name}`;
  return [
    {
      what,
      async run() {
        const missing = await Promise.all(named.map((each) => findingOf(what, each, target)));
        const findings = [...missing.flat(), ...closed.map(({ key, why }) => notAllowed(what, key, why))];
        if (findings.length > 0) return findings;
        return [fine(what, [...new Set(named.map(({ program }) => program))].join(', '))];
      },
    },
  ];
}

function programsOf(jobs: JobsConfig): Named[] {
  const { handlers } = jobs['outbox-processor'];
  return [
    ...jobs.retire.map(([program], i) => ({ key: `jobs.retire.${i}`, program })),
    ...Object.entries(handlers).flatMap(([type, handler]) =>
      'argv' in handler ? [{ key: `jobs.outbox-processor.handlers.${type}`, program: handler.argv[0] }] : [],
    ),
    ...jobNames.flatMap((job) => {
      const program = jobs[job].command?.argv[0];
      return program === undefined ? [] : [{ key: `jobs.${job}.command`, program }];
    }),
  ];
}

async function findingOf(what: string, { key, program }: Named, target: TargetConfig): Promise<Finding[]> {
  // A folder that is missing is the backend's problem.
  const cwd = existsSync(target.directory) ? target.directory : '/';
  const found = await findProgram(program, target.env.PATH, cwd);
  if (found.kind === 'found') return [];
  const todo = `install ${program} on this machine, let targets.${target.name}.env.PATH lead to it, or correct ${key}`;
  return [problem(what, `${key}: ${found.reason}`, todo)];
}

function closedAddresses(jobs: JobsConfig): { key: string; why: string }[] {
  const { handlers, http } = jobs['outbox-processor'];
  const guard = createHostGuard(http.allow);
  return Object.entries(handlers).flatMap(([type, handler]) => {
    if (!('url' in handler)) return [];
    const why = guard.refuseUrl(new URL(handler.url));
    return why === null ? [] : [{ key: `jobs.outbox-processor.handlers.${type}`, why }];
  });
}

const notAllowed = (what: string, key: string, why: string): Finding =>
  problem(
    what,
    `${key}: ${why}, so every event of this type becomes a dead letter`,
    'add the host to the list, or correct the address',
  );
