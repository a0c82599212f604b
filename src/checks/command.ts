import { resolve } from 'node:path';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { CommandArgs } from './command/arguments.js';
import { judgeCommand } from './command/judge.js';
import { commandWarnings, describeCommand, runCommand, workFolder } from './command/run.js';
import type { StepDeps } from './deps.js';

/** Runs a program that changes nothing, and looks at what it said. That it only reads is the runbook's promise. */
export function command(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'command',
    changes: false,
    promised: true,
    args: CommandArgs,
    describe: describeCommand,
    survey: async (args) => ({ kind: 'surveyed', parts: {}, sql: [], warnings: commandWarnings(args) }),
    async run(args, context) {
      const result = await runCommand(deps, args, context);
      return judgeCommand(args, result, {
        work: workFolder(deps, context),
        cwd: resolve(context.target.directory, args.cwd ?? '.'),
      });
    },
  });
}
