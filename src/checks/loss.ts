import { z } from 'zod';
import { attempt, SQLSTATE } from '../clients/postgres/failure.js';
import type { Database } from '../clients/postgres.js';
import type { Config } from '../config.js';
import type { LossMeter } from '../runbook/definition.js';
import type { Loss } from '../runbook/events.js';
import { explain, withSession } from './session.js';

export interface LossCounter {
  /** Counts what a rollback would throw away, now. Never throws: what cannot be counted says why. */
  count(meters: readonly LossMeter[]): Promise<Loss[]>;
}

/** A question asked in the middle of an incident must not become a load of its own. */
const statementTimeoutMs = 5_000;
const Row = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

export function createLossCounter(deps: { readonly config: Pick<Config, 'targets'> }): LossCounter {
  async function ofTarget(name: string, meters: readonly LossMeter[]): Promise<Loss[]> {
    const none = (note: string) =>
      meters.map((meter) => ({ label: meter.label, target: name, count: null, note }));
    const target = deps.config.targets[name];
    if (target === undefined) return none('the configuration has no such target');
    const session = { applicationName: 'm10bot:loss', statementTimeoutMs };
    const counted = await withSession(target, session, async (database) => {
      const losses: Loss[] = [];
      for (const meter of meters) losses.push(await one(database, meter));
      return losses;
    });
    return counted.kind === 'ok' ? counted.value : none(`the database ${explain(counted)}`);
  }

  return {
    async count(meters) {
      const names = [...new Set(meters.map((meter) => meter.on))];
      const counted = await Promise.all(
        names.map((name) =>
          ofTarget(
            name,
            meters.filter((m) => m.on === name),
          ),
        ),
      );
      const left = counted.flat();
      // In the order of the runbook, whichever target answered first.
      return meters.flatMap((meter) =>
        left.filter((l) => l.label === meter.label && l.target === meter.on).slice(0, 1),
      );
    },
  };
}

async function one(database: Database, meter: LossMeter): Promise<Loss> {
  const loss = (count: number | null, note: string): Loss => ({
    label: meter.label,
    target: meter.on,
    count,
    note,
  });
  const read = await attempt(() =>
    database.transaction(async (inside) => inside.rows(Row, meter.sql), { readOnly: true }),
  );
  if (read.kind === 'connection_lost') return loss(null, `the connection was lost (${read.message})`);
  if (read.kind === 'sql_error') {
    if (read.code === SQLSTATE.undefinedTable) return loss(0, 'no such table');
    if (read.code === SQLSTATE.queryCanceled)
      return loss(null, `not counted within ${statementTimeoutMs / 1_000} s`);
    return loss(null, read.message);
  }
  const values = Object.values(read.value[0] ?? {});
  const value = values[0] ?? null;
  const count = value === null ? Number.NaN : Number(value);
  if (read.value.length !== 1 || values.length !== 1 || !Number.isFinite(count)) {
    return loss(null, 'the query did not return one row with one number');
  }
  return loss(count, '');
}
