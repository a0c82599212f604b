import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gauges whose names say that they are counters; each has a twin by kind without the suffix. */
const misnamed = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/** A registry of its own, with the figures of the process. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}

/**
 * The text of all metrics. `m10_outbox_retry_count` is a gauge in all but its name, which other tools of the target
 * know: a gauge may not end in `_count`, so its type is left open.
 */
export async function exposition(registry: Registry): Promise<string> {
  return (await registry.metrics()).replace(
    /^# TYPE m10_outbox_retry_count gauge$/m,
    '# TYPE m10_outbox_retry_count untyped',
  );
}
