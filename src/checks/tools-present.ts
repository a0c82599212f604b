import { z } from 'zod';
import { readIdentity } from '../clients/postgres/identity.js';
import { majorOf, readTools, type Tool } from '../clients/tools.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { commandEnvironment } from './environment.js';
import { failed, listed, passed, table, unknown } from './outcome.js';
import { explain, withSession } from './session.js';

const Args = z.strictObject({
  /** Each program with its least version. */
  programs: z
    .record(z.string(), z.string().regex(/^\d+(\.\d+)*$/, "expected a version such as '1.8', in quotes"))
    .default({}),
  /** Programs of PostgreSQL whose major version must not be below the server's. */
  'as-new-as-server': z.array(z.string(), 'expected a list of programs').default([]),
});

/** The programs that later steps start must be there, run, and be new enough, along the target's own PATH. */
export function toolsPresent(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'tools.present',
    changes: false,
    args: Args,
    describe: (args) => {
      const names = [
        ...Object.entries(args.programs).map(([program, version]) => `${program} ${version} or newer`),
        ...args['as-new-as-server'].map((program) => `${program} as new as the server`),
      ];
      return {
        words: `Look for ${listed(names)}.`,
        commands: [...Object.keys(args.programs), ...args['as-new-as-server']].map((p) => `${p} --version`),
      };
    },
    async run(args, context) {
      const { target } = context;
      const wanted = new Map<string, string>(Object.entries(args.programs));
      if (args['as-new-as-server'].length > 0) {
        const read = await withSession(target, context, readIdentity);
        if (read.kind !== 'ok') {
          return unknown(
            `the version of the server of ${target.name} could not be read: it ${explain(read)}`,
          );
        }
        const major = String(Math.floor(read.value.versionNumber / 10_000));
        for (const program of args['as-new-as-server']) wanted.set(program, major);
      }
      const tools = await readTools([...wanted.keys()], {
        processes: deps.processes,
        id: context.childId,
        cwd: target.directory,
        env: commandEnvironment(target, context.applicationName),
      });
      const problems = tools.flatMap((tool) => problemOf(tool, wanted.get(tool.program) ?? '0') ?? []);
      const output = table(tools.map(row));
      if (problems.length > 0) return failed(problems.join('; '), { output });
      const versions = tools.map((t) => (t.kind === 'present' ? `${t.program} ${t.version}` : t.program));
      return passed(`${listed(versions)} are there`, { output });
    },
  });
}

function problemOf(tool: Tool, least: string): string | null {
  switch (tool.kind) {
    case 'missing':
      return `${tool.program} is ${tool.reason}`;
    case 'broken':
      return `${tool.program} (${tool.path}) does not run: ${tool.evidence.split('\n')[0] ?? ''}`;
    case 'present':
      return isAtLeast(tool.version, least)
        ? null
        : `${tool.program} is ${tool.version}, expected ${least} or newer`;
  }
}

/** Compares versions number by number: 1.10 is newer than 1.9. */
export function isAtLeast(version: string, least: string): boolean {
  const wanted = least.split('.').map(Number);
  const found = version.split('.').map((part) => majorOf(part));
  for (const [index, number] of wanted.entries()) {
    const is = found[index] ?? 0;
    if (is !== number) return is > number;
  }
  return true;
}

function row(tool: Tool): string[] {
  switch (tool.kind) {
    case 'present':
      return [tool.program, tool.version, tool.path];
    case 'broken':
      return [tool.program, 'does not run', tool.path];
    case 'missing':
      return [tool.program, 'missing', tool.reason];
  }
}
