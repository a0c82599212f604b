import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { usages } from '../../src/commands/usages.js';
import { documented } from './documented.js';
import { promtool } from './samples.js';

const read = (path: string) => readFileSync(path, 'utf8');
const rulesFile = 'deploy/prometheus/m10bot-alerts.yml';

const Rule = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.strictObject({ summary: z.string(), action: z.string() }),
});
const { groups } = z
  .object({ groups: z.array(z.object({ name: z.string(), rules: z.array(Rule) })) })
  .parse(parse(read(rulesFile)));
const rules = groups.flatMap((group) => group.rules);

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[] | undefined;
}
const Panel: z.ZodType<Panel> = z.looseObject({
  title: z.string(),
  targets: z.array(z.looseObject({ expr: z.string() })).optional(),
});
const dashboard = z
  .looseObject({
    uid: z.string(),
    panels: z.array(Panel),
    templating: z.object({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
  })
  .parse(JSON.parse(read('deploy/grafana/m10bot.json')));
const queries = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr));

/** Metrics that Prometheus makes itself, and those of the process that the dashboard shows. */
const known = new Set([
  'up',
  'process_resident_memory_bytes',
  'process_cpu_seconds_total',
  'nodejs_eventloop_lag_p99_seconds',
]);
for (const [name, { type }] of documented()) {
  known.add(name);
  if (type === 'histogram') for (const suffix of ['bucket', 'sum', 'count']) known.add(`${name}_${suffix}`);
}

/** Names in an expression that look like metrics, those of a regular expression over names included. */
function metricsIn(expr: string): string[] {
  const regexes = [...expr.matchAll(/__name__=~"(\w*)\(([^)]*)\)(\w*)"/g)].flatMap(
    ([, head, middle = '', tail]) => middle.split('|').map((each) => `${head}${each}${tail}`),
  );
  const bare = expr.replace(/"[^"]*"/g, '').match(/\b(m10|m10bot|recovery|process|nodejs)_\w+|\bup\b/g) ?? [];
  return [...regexes, ...bare];
}

test('every metric of the rules and of the dashboard is one that is shown', () => {
  const used = [...rules.map(({ expr }) => expr), ...queries].flatMap(metricsIn);
  expect(used.length).toBeGreaterThan(50);
  expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
});

test('the dashboard shows every metric of the target, and asks the data source that is chosen', () => {
  const shown = new Set(queries.flatMap(metricsIn).map((name) => name.replace(/_(bucket|sum|count)$/, '')));
  const missing = [...documented().keys()]
    .filter((name) => /^(m10|recovery)_/.test(name))
    .filter((name) => !shown.has(name.replace(/_count$/, '')));
  expect(missing).toEqual([]);
  expect(dashboard.uid).toBe('m10bot');
  expect(dashboard.templating.list).toMatchObject([{ name: 'datasource', type: 'datasource' }]);
  const sources = [...read('deploy/grafana/m10bot.json').matchAll(/"datasource": \{[^}]*"uid": "([^"]*)"/g)];
  expect(sources.length).toBeGreaterThan(queries.length);
  for (const [, uid] of sources) expect(uid).toMatch(/^\$\{datasource\}$/);
});

describe('the alerts', () => {
  test('promtool accepts them, and their tests pass', () => {
    expect(promtool(['check', 'rules', rulesFile])).toMatchObject({ code: 0 });
    const tested = promtool(['test', 'rules', 'deploy/prometheus/m10bot-alerts.test.yml']);
    expect(tested.output).toContain('SUCCESS');
    expect(tested.code).toBe(0);
  });

  test('each one is tested and listed', () => {
    const tests = read('deploy/prometheus/m10bot-alerts.test.yml');
    const page = read('deploy/README.md');
    for (const { alert } of rules) {
      expect(tests, alert).toMatch(new RegExp(`\\b${alert}\\b`));
      expect(page, alert).toContain(`\`${alert}\``);
    }
    const listed = [...page.matchAll(/`(M10\w+)`/g)].map((match) => match[1]);
    expect(new Set(listed)).toEqual(new Set(rules.map(({ alert }) => alert)));
  });

  test('each one that names a command names one that there is', () => {
    const words = new Set(Object.values(usages).map(({ usage }) => usage.split(/[ |]/)[1]));
    const named = rules.flatMap(({ annotations }) =>
      [...annotations.action.matchAll(/`\/m10 (\w+)/g)].map((match) => match[1]),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((word) => !words.has(word))).toEqual([]);
  });
});

test('the entry for Prometheus has the name that the rules look for, and keeps our labels', () => {
  expect(parse(read('deploy/prometheus/scrape.yml'))).toMatchObject([
    { job_name: 'm10bot', honor_labels: true },
  ]);
});
