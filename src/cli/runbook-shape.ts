import { stringify } from 'yaml';
import { ObjectsArgs } from '../checks/objects/expected.js';
import { listed } from '../checks/outcome.js';
import { attempt } from '../clients/postgres/failure.js';
import {
  type FunctionShape,
  readShape,
  type SchemaShape,
  type TableShape,
} from '../clients/postgres/shape.js';
import { connect } from '../clients/postgres.js';
import type { Config } from '../config.js';
import { nearest } from '../nearest.js';
import type { Output } from './output.js';

/** Which schema of which target is wanted. */
export interface WantedShape {
  readonly target: string | undefined;
  readonly schema: string | undefined;
}

/**
 * Prints what stands in a schema as the arguments of `postgres.objects`, to be read and kept in a runbook.
 * @returns the exit code
 */
export async function printShape(
  config: Pick<Config, 'targets'>,
  wanted: WantedShape,
  output: Output,
): Promise<number> {
  const names = Object.keys(config.targets);
  const target = wanted.target === undefined ? undefined : config.targets[wanted.target];
  if (target === undefined) {
    const near = wanted.target === undefined ? undefined : nearest(wanted.target, names);
    const found = wanted.target === undefined ? 'nothing' : `"${wanted.target}"`;
    const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
    output.error(`Expected --target with one of ${listed(names)}, found ${found}.${hint}`);
    return 2;
  }
  if (wanted.schema === undefined) {
    output.error('Expected --schema with the name of a schema, such as public, found nothing.');
    return 2;
  }
  const connection = await connect({
    url: target.databaseUrl,
    applicationName: 'm10bot-shape',
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 3_000,
    connectTimeoutMs: 8_000,
  });
  if (connection.kind !== 'connected') {
    output.error(`The database of ${target.name} cannot be reached: ${connection.message}`);
    return 1;
  }
  const { database } = connection;
  const { schema } = wanted;
  const read = await attempt(() => readShape(database, schema));
  await database.close();
  if (read.kind !== 'ok') {
    output.error(`The schema ${schema} of ${target.name} could not be read: ${read.message}`);
    return 1;
  }
  const shape = read.value;
  if (!shape.exists) {
    output.error(
      `The database of ${target.name} has no schema ${schema}, or ${target.name}'s role cannot see it.`,
    );
    return 1;
  }
  const { args, left } = argumentsOf(schema, shape);
  const checked = ObjectsArgs.safeParse(args);
  if (!checked.success) {
    for (const { path, message } of checked.error.issues) output.error(`${path.join('.')}: ${message}`);
    output.error(`What stands in ${schema} of ${target.name} cannot be written as a shape.`);
    return 1;
  }
  output.line(
    `# What stands in ${schema} of ${target.name}: for \`with\` of postgres.objects, once somebody has read it.`,
  );
  for (const each of left) output.line(`# Left out: ${each}`);
  output.line(stringify(args, { lineWidth: 110, flowCollectionPadding: false }).trimEnd());
  return 0;
}

/** What `postgres.objects` takes, and what it has no words for. */
export function argumentsOf(schema: string, shape: SchemaShape): { args: object; left: readonly string[] } {
  const plain = shape.functions.filter(({ kind }) => kind === 'function');
  const overloaded = new Set(plain.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) !== i));
  const left = [
    ...[...overloaded].map((name) => `function ${name}, of which there are several`),
    ...shape.functions.filter(({ kind }) => kind !== 'function').map(({ kind, name }) => `${kind} ${name}`),
    ...shape.views.map(({ name }) => `view ${name}`),
    ...shape.materializedViews.map(({ name }) => `materialized view ${name}`),
  ];
  const tables = Object.fromEntries(shape.tables.map((table) => [table.name, tableOf(table)]));
  const functions = Object.fromEntries(
    plain.filter(({ name }) => !overloaded.has(name)).map((each) => [each.name, functionOf(each)]),
  );
  return {
    args: {
      schema,
      ...(shape.tables.length === 0 ? {} : { tables }),
      ...(Object.keys(functions).length === 0 ? {} : { functions }),
    },
    left,
  };
}

function tableOf({ columns, primaryKey, indexes }: TableShape): object {
  const valid = indexes.filter((index) => index.valid && !index.primary);
  const unique = valid
    .filter((index) => index.unique)
    .map((index) =>
      index.predicate === null ? index.columns : { columns: index.columns, where: index.predicate },
    );
  const others = valid.filter((index) => !index.unique).map((index) => index.columns);
  return {
    columns: Object.fromEntries(
      columns.map(({ name, type, notNull }) => [name, notNull ? `${type} not null` : type]),
    ),
    ...(primaryKey === null ? {} : { 'primary-key': primaryKey }),
    ...(unique.length === 0 ? {} : { unique }),
    ...(others.length === 0 ? {} : { indexes: others }),
  };
}

function functionOf({ argumentTypes, result }: FunctionShape): object {
  const table = /^TABLE\((.*)\)$/s.exec(result ?? '')?.[1];
  return {
    ...(argumentTypes.length === 0 ? {} : { arguments: argumentTypes }),
    returns: table === undefined ? (result ?? 'void') : columnsOf(table),
  };
}

/** `event_id bigint, "Odd name" numeric(10,2)`, as pg_get_function_result writes it; names keep their quotes. */
function columnsOf(text: string): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const [, name = '', type = ''] of text.matchAll(
    /("(?:[^"]|"")+"|[^\s",]+) ((?:[^,(]|\([^)]*\))+)(?:, |$)/g,
  )) {
    columns[name] = type.trim();
  }
  return columns;
}
