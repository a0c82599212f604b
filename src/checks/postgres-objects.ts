import { readShape } from '../clients/postgres/shape.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { differences, leftovers } from './objects/differences.js';
import { ObjectsArgs } from './objects/expected.js';
import { failed, passed, plural } from './outcome.js';
import { checkOver } from './session.js';

/**
 * Compares tables and functions with what the runbook declares. Names alone prove nothing: CREATE TABLE IF NOT
 * EXISTS keeps a table of the wrong shape, and a function without its key fails only when it is called.
 */
export function postgresObjects(): StepKind<TargetConfig> {
  return defineKind({
    name: 'postgres.objects',
    changes: false,
    args: ObjectsArgs,
    describe: (args, { target }) => {
      const what = counted(args);
      const words = args.absent
        ? `Prove that none of ${what} of ${args.schema} is left on ${target.name}.`
        : `Compare ${what} of ${args.schema} on ${target.name} with the declared shape: columns, types, keys, indexes, signatures.`;
      return {
        words,
        commands: [
          `SELECT … FROM pg_class, pg_attribute, pg_index, pg_proc WHERE the schema is '${args.schema}'`,
        ],
      };
    },
    run: (args, context) =>
      checkOver(context, 'the objects', async (database) => {
        const tables = Object.keys(args.tables);
        const functions = Object.keys(args.functions);
        const shape = await readShape(database, args.schema);
        const name = context.target.name;
        if (args.absent) {
          const left = leftovers(args, shape);
          if (left.length === 0)
            return passed(`none of ${counted(args)} of ${args.schema} is left on ${name}`);
          return failed(
            `${plural(left.length, 'object')} of ${args.schema} still on ${name}: ${left[0]}${more(left)}`,
            {
              output: left.join('\n'),
            },
          );
        }
        const lines = differences(args, shape);
        if (lines.length === 0) {
          return passed(`${counted(args)} of ${args.schema} on ${name} have the declared shape`, {
            output: [...tables.map((t) => `table ${t}`), ...functions.map((f) => `function ${f}`)].join('\n'),
          });
        }
        return failed(`${name} differs from the declared shape: ${lines[0]}${more(lines)}`, {
          output: lines.join('\n'),
        });
      }),
  });
}

function counted(args: ObjectsArgs): string {
  const tables = Object.keys(args.tables).length;
  const functions = Object.keys(args.functions).length;
  return [
    ...(tables === 0 ? [] : [plural(tables, 'table')]),
    ...(functions === 0 ? [] : [plural(functions, 'function')]),
  ].join(' and ');
}

function more(lines: readonly string[]): string {
  return lines.length === 1 ? '' : `, and ${lines.length - 1} more`;
}
