import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { aliasMistakes, mostAliases, oversized } from './yaml-aliases.js';

/** A YAML text whose every value can be traced back to its line. */
export interface YamlSource {
  readonly value: unknown;
  /** Mistakes of the YAML itself; when there are any, `value` is null. */
  readonly problems: readonly string[];
  /** The place of a value, such as `m10.yml:12:5`; of its nearest parent when it is missing. */
  locate(path: readonly (string | number)[]): string;
  /** The value at a path, as written. */
  at(path: readonly (string | number)[]): unknown;
}

/** Reads YAML; anchors may not blow it up, and keys may not be given twice. */
export function readYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const problems = doc.errors.map((e) => `${place(e.pos[0])}: ${e.message}`);
  if (problems.length === 0) {
    problems.push(...aliasMistakes(doc).map(({ offset, message }) => `${place(offset)}: ${message}`));
  }
  const value: unknown = problems.length > 0 ? null : followed();

  function followed(): unknown {
    try {
      return doc.toJS({ maxAliasCount: mostAliases });
    } catch (error) {
      // The only thing left that the library throws for: anchors that multiply.
      if (!(error instanceof ReferenceError)) throw error;
      const { offset, message } = oversized(doc);
      problems.push(`${place(offset)}: ${message}`);
      return null;
    }
  }

  function locate(path: readonly (string | number)[]): string {
    for (let length = path.length; length > 0; length -= 1) {
      const node: unknown = doc.getIn(path.slice(0, length), true);
      if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
        return place(Number(node.range[0]));
      }
    }
    return file;
  }

  function at(path: readonly (string | number)[]): unknown {
    let here: unknown = value;
    for (const key of path) {
      if (typeof here !== 'object' || here === null) return undefined;
      here = Reflect.get(here, key);
    }
    return here;
  }

  return { value, problems, locate, at };
}

/** One line for each mistake: the place, the key, what is expected and what was found. */
export function issuesToProblems(source: YamlSource, issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((key) => typeof key !== 'symbol');
    if (issue.code === 'invalid_union') {
      // The branch that got furthest is the one that was meant.
      const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
      if (best !== undefined && depth(best) > 0) {
        const nested = best.map((inner) => ({ ...inner, path: [...path, ...inner.path] }));
        return issuesToProblems(source, nested);
      }
    }
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(
        (key) => `${source.locate([...path, key])} ${keyOf([...path, key])}: this key is not known here`,
      );
    }
    return [problemAt(source, path, messageOf(issue))];
  });
}

const names: Readonly<Record<string, string>> = {
  string: 'a text',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
  int: 'a whole number',
};

/** What was expected, in the field's words where zod has only a type's name. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    return `expected ${names[issue.expected] ?? `a ${issue.expected}`}`;
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid')) {
    return `expected ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}`;
  }
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) {
    return `expected at least ${issue.minimum}${issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''}`;
  }
  if (issue.code === 'too_big' && issue.message.startsWith('Too big')) {
    return `expected at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''}`;
  }
  if (issue.code === 'invalid_union' && issue.message.startsWith('Invalid')) {
    const each = issue.errors.flatMap((branch) => branch.slice(0, 1).map(messageOf));
    return each.length === 0 ? 'expected something else' : each.join(', or ');
  }
  return issue.message;
}

/** A mistake at a path, with what was found there. */
export function problemAt(source: YamlSource, path: readonly (string | number)[], message: string): string {
  const found = source.at(path);
  const shown = found === undefined ? 'nothing' : cut(JSON.stringify(found) ?? String(found));
  const said = /\bfound\b/.test(message) ? message : `${message}, found ${shown}`;
  return `${source.locate(path)} ${keyOf(path)}: ${said}`;
}

function keyOf(path: readonly (string | number)[]): string {
  return path.length === 0 ? '(the whole file)' : path.join('.');
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((i) => i.path.length));
}

function cut(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
