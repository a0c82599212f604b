import { Gauge, type Registry } from 'prom-client';

/** A gauge that may be absent, which says something else than zero: nobody knows. */
export interface Reading<L extends string> {
  /** Replaces all samples. */
  set(samples: readonly { readonly labels: Readonly<Record<L, string>>; readonly value: number }[]): void;
  absent(): void;
}

export function createReading<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Reading<L> {
  const gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  const absent = () => {
    gauge.reset();
    // A gauge without labels is zero after a reset, which would be a statement.
    if (labelNames.length === 0) gauge.remove();
  };
  absent();
  return {
    absent,
    set(samples) {
      absent();
      for (const { labels, value } of samples) {
        if (labelNames.length === 0) gauge.set(value);
        else gauge.set({ ...labels }, value);
      }
    },
  };
}

/** A single sample without labels; null: absent. */
export function one(
  value: number | null,
): readonly { readonly labels: Record<never, string>; readonly value: number }[] {
  return value === null ? [] : [{ labels: {}, value }];
}
