import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type MetricSample, readMetrics } from '../clients/metrics.js';
import type { TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, listed, passed, spoken, unknown } from './outcome.js';

const Wanted = z
  .strictObject({
    /** A sample's full name, whatever its labels; HELP and TYPE lines are no samples. */
    name: z.string('expected the name of a metric').min(1).optional(),
    /** Beginning of a sample's full name, where any metric of a kind will do. */
    prefix: z.string('expected the beginning of a metric name').min(1).optional(),
    /** Some sample must be at least this; without it any value counts, zeros too. */
    min: z.number('expected a number').optional(),
  })
  .refine((w) => (w.name === undefined) !== (w.prefix === undefined), 'expected either name or prefix');
type Wanted = z.infer<typeof Wanted>;

const Args = z.strictObject({
  samples: z.array(Wanted, 'expected a list of { name, min }').min(1),
  /** How long they may take to appear, ms. */
  within: Duration.default(5 * 60_000),
  /** Pause between two looks, ms. */
  every: Duration.default(5_000),
  /** Instead of the target's own metrics page. */
  url: z.url('expected a URL').optional(),
});

/** Waits for metrics to appear with values: a name on the page is there as soon as the code is deployed. */
export function httpMetrics(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'http.metrics',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Wait up to ${spoken(args.within)} until ${listed(args.samples.map(sayWanted))} appear on the metrics page of ${target.name}.`,
      commands: [`GET ${args.url ?? target.metricsUrl ?? '(no metrics-url is configured)'}`],
    }),
    async run(args, { target, signal }) {
      const url = args.url ?? target.metricsUrl;
      if (url === null || url === undefined) {
        return failed(
          `${target.name} has no metrics page in the configuration; set its metrics-url in m10.yml`,
        );
      }
      const startedAt = deps.now();
      const deadline = startedAt + args.within;
      for (;;) {
        const read = await readMetrics(url, 5_000);
        const samples = read.kind === 'read' ? read.samples : [];
        const missing = args.samples.filter((wanted) => !matching(samples, wanted).length);
        const output = read.kind === 'read' ? listing(samples, args.samples) : read.message;
        if (read.kind === 'read' && missing.length === 0) {
          return passed(`${listed(args.samples.map(sayWanted))} are on the metrics page of ${target.name}`, {
            output,
          });
        }
        if (signal.aborted || deps.now() + args.every > deadline) {
          const after = `after ${spoken(deps.now() - startedAt)}`;
          if (read.kind === 'unreachable') {
            return unknown(`the metrics page of ${target.name} did not answer ${after}: ${read.message}`);
          }
          if (read.kind === 'refused') {
            return failed(`the metrics page of ${target.name} answered ${read.status} ${after}`, { output });
          }
          return failed(
            `the metrics page of ${target.name} lacks ${listed(missing.map(sayWanted))} ${after}`,
            { output },
          );
        }
        await sleep(args.every, undefined, { signal }).catch(() => undefined);
      }
    },
  });
}

function matching(samples: readonly MetricSample[], wanted: Wanted): MetricSample[] {
  return samples.filter(
    (sample) =>
      isNamed(sample, wanted) &&
      // Seconds since the epoch at which a counter came to be, which is no value of it.
      !sample.name.endsWith('_created') &&
      (wanted.min === undefined || sample.value >= wanted.min),
  );
}

function isNamed(sample: MetricSample, { name, prefix }: Wanted): boolean {
  return name === undefined ? sample.name.startsWith(prefix ?? '') : sample.name === name;
}

function sayWanted({ name, prefix, min }: Wanted): string {
  const what = name ?? `${prefix}*`;
  return min === undefined ? what : `${what} of at least ${min}`;
}

function listing(samples: readonly MetricSample[], wanted: readonly Wanted[]): string {
  const shown = samples.filter((s) => wanted.some((w) => isNamed(s, w)));
  return shown.length === 0 ? 'no sample with these names' : shown.slice(0, 100).map(render).join('\n');
}

function render({ name, labels, value }: MetricSample): string {
  const inside = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
  return `${name}${inside.length === 0 ? '' : `{${inside.join(',')}}`} ${value}`;
}
