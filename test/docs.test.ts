import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { offlineKinds } from '../src/cli/kinds.js';
import type { Output } from '../src/cli/output.js';
import { checkRunbookFile } from '../src/cli/runbook.js';
import { usages } from '../src/commands/usages.js';
import { loadConfig } from '../src/config.js';
import { loadRunbook } from '../src/load-runbook.js';
import {
  BlockFile,
  GatePolicy,
  LossMeter,
  parseDuration,
  RunbookFile,
  StepFile,
} from '../src/runbook/definition.js';

const read = (path: string) => readFileSync(path, 'utf8');
const kinds = offlineKinds();
const runbooks = read('docs/runbooks.md');

interface Section {
  readonly title: string;
  readonly body: string;
}

/** Headings outside of code, each with the text up to the next one. */
function sectionsOf(markdown: string): Section[] {
  const sections: { title: string; body: string }[] = [];
  let inCode = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) inCode = !inCode;
    const title = inCode ? undefined : /^#+ (.+)$/.exec(line)?.[1];
    if (title !== undefined) sections.push({ title, body: '' });
    const last = sections.at(-1);
    if (title === undefined && last !== undefined) last.body += `${line}\n`;
  }
  return sections;
}

/** Cells of table rows; a pipe inside a cell is written `\|`. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-|]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

const code = (cell: string | undefined) => /^`([^`]+)`$/.exec(cell ?? '')?.[1];
const blocksOf = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((m) => m[1] ?? '');
const sections = sectionsOf(runbooks);
const bodyOf = (kind: string) => sections.find(({ title }) => title === `\`${kind}\``)?.body ?? '';

test.each([
  ['The file', RunbookFile],
  ['Blocks', BlockFile],
  ['Gates', GatePolicy],
  ['Steps', StepFile],
  ['Loss meters', LossMeter],
])('the table of "%s" has every key, and no other', (title, schema) => {
  const [, ...rows] = rowsOf(sections.find((section) => section.title === title)?.body ?? '');
  expect(rows.map(([name]) => code(name)).toSorted()).toEqual(Object.keys(schema.shape).toSorted());
  // What may be left out says so.
  const required = Object.entries(schema.shape).flatMap(([name, field]) =>
    field.safeParse(undefined).success ? [] : [name],
  );
  const needed = rows.flatMap(([name, , shown]) => (shown === 'needed' ? [code(name)] : []));
  expect(needed.toSorted()).toEqual(required.toSorted());
});

test('the reference has a section for every step kind, and for no other', () => {
  const named = sections.flatMap(({ title }) => code(title) ?? []);
  expect(named.toSorted()).toEqual([...kinds.keys()].toSorted());
});

describe.each([...kinds.values()])('the section of $name', (kind) => {
  const body = bodyOf(kind.name);
  const [example] = z.array(StepFile).parse(parse(blocksOf(body, 'yaml')[0] ?? '[]'));

  test('has an example that is accepted', () => {
    expect(example?.uses).toBe(kind.name);
    expect(kind.bind(example?.with)).toMatchObject({ ok: true });
  });

  test('lists its arguments, each with its default', () => {
    const Schema = z.object({
      properties: z.record(z.string(), z.unknown()),
      required: z.array(z.string()).default([]),
    });
    const { properties, required } = Schema.parse(
      z.toJSONSchema(kind.args, { io: 'input', unrepresentable: 'any' }),
    );
    // The first table of a section; later ones are of what lies inside an argument.
    const table = rowsOf(body.slice(0, body.indexOf('\n\n', body.indexOf('\n|') + 1)));
    const [head, ...rows] = table;
    expect(head).toEqual(['argument', 'type', 'default', 'meaning']);
    expect(rows.map(([name]) => code(name))).toEqual(Object.keys(properties));

    const given = z.record(z.string(), z.unknown()).parse(example?.with);
    for (const [cell, , shown] of rows) {
      const name = code(cell) ?? '';
      const { [name]: _, ...without } = given;
      const parsed = kind.args.safeParse(without);
      expect(parsed.success, `${name} can be left out`).toBe(!required.includes(name));
      expect(shown === 'needed', `the document says that ${name} is needed`).toBe(required.includes(name));
      if (!parsed.success) continue;
      const value = z.record(z.string(), z.unknown()).parse(parsed.data)[name];
      expect(defaultOf(shown), `default of ${name}`).toEqual(value);
    }
  });

  test('names every key inside its arguments', () => {
    const whole = kind.name === 'command.change' ? `${body}${bodyOf('command')}` : body;
    const keys = keysIn(z.toJSONSchema(kind.args, { io: 'input', unrepresentable: 'any' }));
    const told = `${whole}${sections.find(({ title }) => title === 'Expectations')?.body ?? ''}`;
    expect(keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(told))).toEqual([]);
  });

  test('says what its results mean, and an action what its probe and its approval do', () => {
    for (const result of ['passed', 'failed', 'unknown']) expect(body).toContain(`**${result}**`);
    expect(body.includes('**After a crash**')).toBe(kind.changes);
    expect(body.includes('**The fingerprint**')).toBe(kind.changes);
  });
});

/** Names of the properties of a JSON Schema, however deep. */
function keysIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const named = z.looseObject({ properties: z.record(z.string(), z.unknown()) }).safeParse(schema);
  const own = named.success ? Object.keys(named.data.properties) : [];
  return [...own, ...Object.values(schema).flatMap(keysIn)];
}

/** What a cell says in code, read as YAML or as a duration; a default in words is none. */
function defaultOf(cell: string | undefined): unknown {
  const text = code(cell);
  if (text === undefined || text.endsWith('-url')) return undefined;
  return parseDuration(text) ?? z.unknown().parse(parse(text));
}

describe('the small runbook', () => {
  const [small = ''] = blocksOf(runbooks, 'yaml');
  const [good = '', bad = ''] = blocksOf(
    sections.find(({ title }) => title === 'Checking a runbook')?.body ?? '',
    '',
  ).filter((block) => block.includes('orders.yml'));
  let folder = '';
  const file = () => join(folder, 'orders.yml');
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'm10-docs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What `runbook check` prints about a text. */
  async function check(text: string): Promise<{ code: number; lines: string[] }> {
    writeFileSync(file(), text);
    const lines: string[] = [];
    const line = (said: string) => void lines.push(said.replaceAll(file(), 'orders.yml'));
    const output: Output = {
      line,
      error: line,
      stream: async () => true,
      written: async () => undefined,
    };
    const result = await checkRunbookFile(file(), kinds, output);
    return { code: result, lines };
  }

  test('is one, and the check says about it what the document shows', async () => {
    expect(await check(small)).toEqual({ code: 0, lines: good.trimEnd().split('\n') });
  });

  test('is refused with the lines that the document shows when it has their mistakes', async () => {
    const broken = small
      .replace('uses: postgres.activity', 'uses: postgres.activty')
      .replace('gate: { approvals: 1, from: dba, expires: 20m }', 'gate: none');
    const { code: result, lines } = await check(broken);
    expect(result).toBe(1);
    const shown = bad.trimEnd().split('\n');
    expect(shown).toHaveLength(2);
    for (const line of shown) {
      const parts = line.split('…');
      expect(
        lines.some((said) => parts.every((part) => said.includes(part)) && said.startsWith(parts[0] ?? '')),
        line,
      ).toBe(true);
    }
  });
});

test('the runbook that the document points to is a good one', () => {
  const { runbook } = loadRunbook('runbooks/022_m10_production_hardening.yml', kinds, null);
  const used = [...runbook.phases, ...runbook.operations, runbook.rollback].flatMap((b) => b.steps);
  expect(used.filter(({ uses }) => !runbooks.includes(`### \`${uses}\``))).toEqual([]);
});

test('the README names every command with who may use it, and no other', () => {
  const told = rowsOf(read('README.md')).flatMap(([command, , who]) =>
    command?.startsWith('`/m10 ') ? [`${code(command)}: ${who}`] : [],
  );
  const known = Object.values(usages).map(({ usage, who }) => `${usage}: ${who}`);
  expect(told.toSorted()).toEqual(known.toSorted());
});

test('the README names every environment variable that the configuration reads, and no other', () => {
  const section = sectionsOf(read('README.md')).find(({ title }) => title === 'Environment')?.body ?? '';
  const told = new Set(
    rowsOf(section).flatMap(([cell]) => [...(cell ?? '').matchAll(/`([A-Z0-9_]+)`/g)].map((m) => m[1])),
  );
  expect(told).toEqual(variablesRead());
});

/** Looked at while it reads, in each way of delivery, and in the source for what it reads only sometimes. */
function variablesRead(): Set<string | undefined> {
  const names = new Set<string | undefined>();
  for (const given of [{}, { SLACK_APP_TOKEN: 'xapp-1' }, { SLACK_SIGNING_SECRET: 'hush', PORT: '0' }]) {
    const env = new Proxy<Record<string, string | undefined>>(
      { M10_CONFIG: 'no-such-file.yml', ...given },
      {
        get(target, name) {
          if (typeof name !== 'string') return undefined;
          names.add(name);
          return target[name];
        },
      },
    );
    expect(() => loadConfig(env)).toThrow('problem(s)');
  }
  for (const file of readdirSync('src').filter((name) => /^config.*\.ts$/.test(name))) {
    for (const match of read(join('src', file)).matchAll(/\benv\.([A-Z][A-Z0-9_]*)/g)) names.add(match[1]);
  }
  return names;
}

const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'deploy/README.md',
  ...readdirSync('docs').map((name) => join('docs', name)),
].filter((path) => path.endsWith('.md'));

test.each(pages)('every link of %s leads somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  const dead = links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : resolve(dirname(page), path);
    if (!existsSync(target)) return true;
    return anchor !== undefined && !sectionsOf(read(target)).some(({ title }) => slugOf(title) === anchor);
  });
  expect(dead).toEqual([]);
});

test('the README points to every page', () => {
  const links = new Set([...read('README.md').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]));
  expect(pages.filter((page) => page !== 'README.md' && !links.has(page))).toEqual([]);
});

/** The anchor of a heading, as it is made by where the pages are read. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replace(/\s/g, '-');
}
