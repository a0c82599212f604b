import { z } from 'zod';
import { TypeName } from './types.js';

const Names = z.array(z.string(), 'expected a list of column names').min(1);

/** A column: `text`, `bigint not null`, `text | varchar not null`. */
const Column = z.string().transform((text, ctx) => {
  const notNull = /\s+not null$/i.test(text);
  const type = text.replace(/\s+not null$/i, '');
  const parsed = TypeName.safeParse(type);
  if (!parsed.success) {
    ctx.addIssue({
      code: 'custom',
      message: `expected a type, and "not null" when it is, such as "text not null"; found ${JSON.stringify(text)}`,
    });
    return z.NEVER;
  }
  return { type: parsed.data, notNull };
});

const UniqueKey = z.union(
  [
    Names.transform((columns) => ({ columns, where: null as string | null })),
    z
      .strictObject({ columns: Names, where: z.string().min(1) })
      .transform((key): { columns: string[]; where: string | null } => key),
  ],
  { error: 'expected a list of columns, or { columns: […], where: "a condition" }' },
);

const Table = z.strictObject({
  columns: z.record(z.string(), Column),
  'primary-key': Names.optional(),
  /** Unique constraints or unique indexes; with `where`, unique among those rows alone. */
  unique: z.array(UniqueKey).default([]),
  /** Columns with which some index begins. */
  indexes: z.array(Names).default([]),
});
export type ExpectedTable = z.infer<typeof Table>;

const FunctionShape = z.strictObject({
  arguments: z.array(TypeName, 'expected the list of argument types').default([]),
  /** A type, or the columns of the table it returns. */
  returns: z.union([TypeName, z.record(z.string(), TypeName)], {
    error: 'expected a type, or columns with their types',
  }),
});
export type ExpectedFunction = z.infer<typeof FunctionShape>;

export const ObjectsArgs = z
  .strictObject({
    schema: z.string('expected the name of a schema').min(1),
    /** Prove that none of the named objects is left, instead of that all are there. */
    absent: z.boolean().default(false),
    tables: z.record(z.string(), Table).default({}),
    functions: z.record(z.string(), FunctionShape).default({}),
  })
  .refine((args) => Object.keys(args.tables).length + Object.keys(args.functions).length > 0, {
    message: 'expected at least one table or function',
  });
export type ObjectsArgs = z.infer<typeof ObjectsArgs>;
