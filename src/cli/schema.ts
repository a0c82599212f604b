import { z } from 'zod';
import type { TargetConfig } from '../config.js';
import { RunbookFile, StepFile } from '../runbook/definition.js';
import type { StepKind } from '../runbook/step-kind.js';

type JsonObject = { readonly [key: string]: unknown };

const Steps = z.looseObject({
  definitions: z.looseObject({ step: z.looseObject({ properties: z.looseObject({}) }) }),
});

/**
 * The JSON Schema of runbooks for editors: what `runbook check` demands, as far as JSON Schema can say it. A
 * step's `with` depends on its `uses`. Draft 7 is the newest that the common editors complete from.
 */
export function runbookSchema(kinds: ReadonlyMap<string, StepKind<TargetConfig>>): JsonObject {
  const named = z.registry<{ id: string }>();
  named.add(StepFile, { id: 'step' });
  const { $schema, ...schema } = z.toJSONSchema(RunbookFile, { ...options, metadata: named });
  const { definitions, ...rest } = Steps.parse(schema);
  const { id: _, ...step } = definitions.step;
  const sorted = [...kinds.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const oneKind = sorted.map((kind) => ({
    if: { properties: { uses: { const: kind.name } }, required: ['uses'] },
    // biome-ignore lint/suspicious/noThenProperty: `then` is a keyword of JSON Schema, and this is data.
    then: { properties: { with: argumentsOf(kind) } },
  }));
  const uses = { enum: sorted.map((kind) => kind.name) };
  return {
    $schema,
    title: 'A runbook of m10bot',
    ...rest,
    definitions: {
      ...definitions,
      step: { ...step, properties: { ...step.properties, uses }, allOf: oneKind },
    },
  };
}

/** The file's text. */
export function runbookSchemaText(kinds: ReadonlyMap<string, StepKind<TargetConfig>>): string {
  return `${JSON.stringify(runbookSchema(kinds), null, 2)}\n`;
}

const Checks = z.looseObject({
  checks: z
    .array(
      z.looseObject({
        _zod: z.looseObject({ def: z.looseObject({ pattern: z.instanceof(RegExp).optional() }) }),
      }),
    )
    .optional(),
});

const options: Omit<z.core.ToJSONSchemaParams, 'metadata'> = {
  target: 'draft-7',
  // As written by people, before defaults and durations are worked out.
  io: 'input',
  // What cannot be said allows anything.
  unrepresentable: 'any',
  override({ zodSchema, jsonSchema }) {
    // A pattern of JSON Schema knows no flags and would refuse what the bot accepts.
    const checks = Checks.safeParse(zodSchema._zod.def).data?.checks ?? [];
    if (checks.some((check) => (check._zod.def.pattern?.flags ?? '') !== '')) delete jsonSchema.pattern;
  },
};

function argumentsOf(kind: StepKind<TargetConfig>): JsonObject {
  const { $schema: _, ...schema } = z.toJSONSchema(kind.args, options);
  return schema;
}
