import { z } from 'zod';

/** Names as people write them, and as `format_type` prints them. */
const aliases: Readonly<Record<string, string>> = {
  varchar: 'character varying',
  char: 'character',
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
  int: 'integer',
  int4: 'integer',
  int8: 'bigint',
  int2: 'smallint',
  bool: 'boolean',
  decimal: 'numeric',
  float8: 'double precision',
};

/**
 * One type, or several of which any will do: `text | varchar`. A type without a length takes any length.
 */
export const TypeName = z
  .string()
  .regex(/^[a-z][a-z0-9 _,()[\].|]*$/i, 'expected a type such as text, bigint or "text | varchar"');

/** Whether a type as `format_type` prints it is one that was asked for. */
export function typeFits(wanted: string, found: string): boolean {
  return wanted.split('|').some((choice) => {
    const name = canonical(choice);
    return name === found || (!name.includes('(') && name === withoutLength(found));
  });
}

/** The type without a length: `character varying(64)` is `character varying`. */
export function withoutLength(type: string): string {
  return type.replace(/\([\d, ]+\)/, '').trim();
}

/** The base of a wanted type in PostgreSQL's own words. */
export function canonical(type: string): string {
  const clean = type.trim().toLowerCase().replace(/\s+/g, ' ');
  const [, base = clean, rest = ''] = /^([a-z0-9_ ]+?)\s*(\(.*|\[\])?$/.exec(clean) ?? [];
  return `${aliases[base] ?? base}${rest}`;
}
