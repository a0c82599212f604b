import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { offlineKinds } from '../../src/cli/kinds.js';
import { runbookSchema, runbookSchemaText } from '../../src/cli/schema.js';

const kinds = offlineKinds();
const Step = z.object({
  properties: z.looseObject({ uses: z.object({ enum: z.array(z.string()) }), timeout: z.unknown() }),
  required: z.array(z.string()),
  allOf: z.array(
    z.object({
      if: z.object({ properties: z.object({ uses: z.object({ const: z.string() }) }) }),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: z.object({ properties: z.object({ with: z.looseObject({ properties: z.looseObject({}) }) }) }),
    }),
  ),
});
const Schema = z.looseObject({ definitions: z.object({ step: Step }) });

test('the committed schema is the generated one', () => {
  const committed = readFileSync('runbooks/schema/runbook.schema.json', 'utf8');
  // When this fails: node dist/src/cli.js runbook schema > runbooks/schema/runbook.schema.json
  expect(committed).toBe(runbookSchemaText(kinds));
});

test('every kind of step is known with its arguments', () => {
  const { step } = Schema.parse(runbookSchema(kinds)).definitions;
  const names = [...kinds.keys()].sort();
  expect(step.properties.uses.enum).toEqual(names);
  expect(step.allOf.map((each) => each.if.properties.uses.const)).toEqual(names);
  expect(step.required).toEqual(['id', 'title', 'uses']);
  const window = step.allOf.find((each) => each.if.properties.uses.const === 'approvers.present');
  expect(Object.keys(window?.then.properties.with.properties ?? {})).toEqual(['at-least']);
});

test('a pattern that ignores case, which JSON Schema cannot say, is left out', () => {
  expect(kinds.size).toBeGreaterThan(10);
  expect(runbookSchema(kinds)).toMatchObject({ properties: { runbook: { type: 'string' } } });
  const { properties } = z
    .looseObject({ properties: z.looseObject({ runbook: z.looseObject({}) }) })
    .parse(runbookSchema(kinds));
  expect(properties.runbook).not.toHaveProperty('pattern');
});
