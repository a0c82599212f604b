#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { createOutput, type Output } from './cli/output.js';
import { type Asked, readCommand, usage } from './cli/usage.js';
import { type Config, ConfigError, loadConfig } from './config.js';
import { packageFile } from './doctor/package-file.js';
import { RunbookError } from './load-runbook.js';
import { createRedactor } from './redact.js';
import { MigrationError, StateUnavailable } from './store/errors.js';

const output = createOutput();
/** Knows the configured secrets as soon as there is a configuration. */
let { redact } = createRedactor([]);

function configuration(): Config {
  const config = loadConfig(process.env);
  redact = createRedactor(config.secrets, config.shown).redact;
  return config;
}

function misunderstood(message: string): number {
  output.error(`${message}\n\n${usage()}`);
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  const read = readArguments(args);
  if (read.kind === 'wrong') return misunderstood(read.message);
  if (read.version) {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(packageFile('package.json'), 'utf8')));
    output.line(`m10bot ${version}`);
    return 0;
  }
  if (read.help) {
    output.line(usage());
    return 0;
  }
  const asked = readCommand(read.words);
  if (asked.kind === 'wrong') return misunderstood(asked.message);
  if (read.heads.length > 0 && asked.name !== 'audit verify') {
    return misunderstood('--head belongs to "audit verify".');
  }
  const shape = read.target ?? read.schema;
  if (shape !== undefined && asked.name !== 'runbook shape') {
    return misunderstood('--target and --schema belong to "runbook shape".');
  }
  return run(asked, read, output);
}

async function run(
  { name, operand }: Asked & { kind: 'command' },
  options: Options,
  output: Output,
): Promise<number> {
  const { heads } = options;
  // Each command loads only what it needs, so that the start is not held up by the others.
  switch (name) {
    case 'help':
      output.line(usage());
      return 0;
    case 'start': {
      const config = configuration();
      const { start } = await import('./cli/start.js');
      return start(config, (code) => process.exit(code));
    }
    case 'doctor': {
      const { reportConfigProblems, runDoctor } = await import('./doctor.js');
      const { offlineKinds } = await import('./cli/kinds.js');
      try {
        const healthy = await runDoctor({
          config: configuration(),
          kinds: offlineKinds(),
          write: output.line,
        });
        return healthy ? 0 : 1;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        reportConfigProblems(error.problems, output.line);
        return 1;
      }
    }
    case 'runbook check': {
      const { checkRunbookFile } = await import('./cli/runbook.js');
      const { offlineKinds } = await import('./cli/kinds.js');
      return checkRunbookFile(operand ?? '', offlineKinds(), output);
    }
    case 'runbook schema': {
      const { runbookSchemaText } = await import('./cli/schema.js');
      const { offlineKinds } = await import('./cli/kinds.js');
      output.line(runbookSchemaText(offlineKinds()).trimEnd());
      return 0;
    }
    case 'runbook shape': {
      const { printShape } = await import('./cli/runbook-shape.js');
      return printShape(configuration(), options, output);
    }
    case 'audit verify': {
      const { auditVerify, readHead } = await import('./cli/audit.js');
      const noted = heads.flatMap((text) => readHead(text) ?? []);
      if (noted.length < heads.length) {
        return misunderstood('Expected --head POSITION:HASH, such as 42: and the 64 digits of the hash.');
      }
      return auditVerify(configuration(), noted, output);
    }
    case 'state migrate': {
      const { migrateState } = await import('./cli/migrate-state.js');
      return migrateState(configuration(), output);
    }
    case 'audit accept': {
      const { auditAccept } = await import('./cli/audit.js');
      if (operand === null) return misunderstood('Expected a reason, for the record: audit accept REASON.');
      return auditAccept(configuration(), operand, output);
    }
    case 'audit export': {
      const { auditExport, readRun } = await import('./cli/audit.js');
      const number = operand === null ? null : readRun(operand);
      if (operand !== null && number === null) {
        return misunderstood(`Expected the number of a run, such as 7, found "${operand}".`);
      }
      return auditExport(configuration(), number, output);
    }
  }
}

interface Options {
  readonly heads: readonly string[];
  readonly target: string | undefined;
  readonly schema: string | undefined;
}

type Arguments =
  | (Options & {
      readonly kind: 'read';
      readonly words: readonly string[];
      readonly help: boolean;
      readonly version: boolean;
    })
  | { readonly kind: 'wrong'; readonly message: string };

function readArguments(args: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
        head: { type: 'string', multiple: true, default: [] },
        target: { type: 'string' },
        schema: { type: 'string' },
      },
    });
    return {
      kind: 'read',
      words: positionals,
      heads: values.head,
      target: values.target,
      schema: values.schema,
      help: values.help,
      version: values.version,
    };
  } catch (error) {
    // Node's message goes on with advice that is not about this program.
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'wrong', message: `${message.split('. ')[0]}.` };
  }
}

/** Mistakes of people are a list of problems; everything else is a crash, with all that is known about it. */
function tell(error: unknown): void {
  const known = [ConfigError, RunbookError, MigrationError, StateUnavailable];
  if (error instanceof Error && known.some((kind) => error instanceof kind)) {
    output.error(redact(`m10bot has not done anything. ${error.message}`));
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  output.error(redact(`m10bot ended by an error: ${message}`));
  output.error(redact(error instanceof Error ? `${error.stack}${causesOf(error)}` : String(error)));
}

function causesOf(error: Error): string {
  const { cause } = error;
  if (cause === undefined) return '';
  return `\ncaused by: ${cause instanceof Error ? `${cause.stack}${causesOf(cause)}` : String(cause)}`;
}

let exitCode = 1;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  tell(error);
}
await output.written();
process.exit(exitCode);
