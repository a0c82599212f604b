import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandArgs } from '../checks/command/arguments.js';
import { judgeCommand } from '../checks/command/judge.js';
import { commandWarnings, describeCommand, runCommand, workFolder } from '../checks/command/run.js';
import type { StepDeps } from '../checks/deps.js';
import { readCode } from '../checks/plan/code.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type Probe, type StepContext, type StepKind } from '../runbook/step-kind.js';

/** Runs a program that changes something. Only the program itself knows what, so a lost end is unknown. */
export function commandChange(deps: StepDeps): StepKind<TargetConfig> {
  const place = (args: CommandArgs, context: StepContext<TargetConfig>) => ({
    work: workFolder(deps, context),
    cwd: resolve(context.target.directory, args.cwd ?? '.'),
  });
  return defineKind({
    name: 'command.change',
    changes: true,
    args: CommandArgs,
    describe: describeCommand,
    async survey(args, { target }) {
      // The program is mostly the backend's own: what it does is in the code, not in its arguments.
      const read = await readCode(deps, target);
      if (read.kind === 'failed') return read;
      const { digest, commit } = read.code;
      return {
        kind: 'surveyed',
        parts: {
          argv: JSON.stringify(args.argv),
          'code digest': digest,
          'code commit': commit ?? 'not in a git repository',
        },
        sql: [],
        warnings: commandWarnings(args),
      };
    },
    run: async (args, context) =>
      judgeCommand(args, await runCommand(deps, args, context), place(args, context)),
    async probe(args, context): Promise<Probe> {
      const sighting = deps.processes.look(context.childId);
      switch (sighting.kind) {
        case 'running':
          return { kind: 'running', evidence: `process ${sighting.pid}, started ${sighting.startedAt}` };
        case 'never_started':
          return { kind: 'not_done', evidence: 'the program was never started' };
        case 'unknown':
          return { kind: 'unknown', evidence: sighting.reason };
        case 'ended':
          break;
      }
      const { exit } = sighting;
      const paths = deps.processes.paths(context.childId);
      const [stdout, stderr] = await Promise.all(
        [paths.stdout, paths.stderr].map((p) => readFile(p, 'utf8')),
      );
      if (exit?.kind !== 'exited' || exit.exitCode === null) {
        const tail = `${stdout ?? ''}\n${stderr ?? ''}`.trim().slice(-2_000);
        return {
          kind: 'unknown',
          evidence: `the program ended and nobody saw how. Its output ends with:\n${tail}`,
        };
      }
      const result = {
        kind: 'exited' as const,
        exitCode: exit.exitCode,
        stdout: stdout ?? '',
        stderr: stderr ?? '',
        stdoutPath: paths.stdout,
        stderrPath: paths.stderr,
        durationMs: exit.durationMs,
      };
      return { kind: 'done', outcome: await judgeCommand(args, result, place(args, context)) };
    },
  });
}
