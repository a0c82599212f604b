import { createHash } from 'node:crypto';
import { migrationContext, type Observed } from '../clients/alembic/observed.js';
import {
  type RevisionTable,
  readRevision,
  usualPlace,
  type VersionPlace,
} from '../clients/postgres/revision.js';
import type { Database } from '../clients/postgres.js';
import type { Processes } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import { alembicFor } from './alembic-client.js';

/** Knows where each target's Alembic keeps its revision, which only its own env.py can tell. */
export interface Revisions {
  /** From the configuration, else from Alembic itself. Never throws: Alembic's usual place is the last resort. */
  placeOf(target: TargetConfig): Promise<VersionPlace>;
  /** What an observed Alembic used just now. */
  learn(target: TargetConfig, observed: Observed): void;
  /** The revision, through a session that is open already. */
  read(target: TargetConfig, database: Database): Promise<RevisionTable>;
}

/** A place that could not be learnt is asked for again after this time, ms. */
const askAgainMs = 30_000;

export function createRevisions(deps: {
  readonly processes: Processes;
  readonly now: () => number;
}): Revisions {
  const learnt = new Map<string, VersionPlace>();
  const asked = new Map<string, { readonly at: number; readonly place: Promise<VersionPlace> }>();
  let asks = 0;

  // The environment decides, so another one is another question; digested, as it holds secrets.
  const keyOf = (target: TargetConfig) =>
    createHash('sha256')
      .update(JSON.stringify([target.name, target.directory, target.databaseUrl, target.env]))
      .digest('hex');

  async function ask(target: TargetConfig): Promise<VersionPlace> {
    asks += 1;
    const id = `places/${process.pid}-${deps.now()}-${asks}`;
    const read = await alembicFor(deps, target, 'm10bot:place', id).read(null);
    if (read.observed !== null) learn(target, read.observed);
    return learnt.get(keyOf(target)) ?? usualPlace;
  }

  function learn(target: TargetConfig, observed: Observed): void {
    const place = placeUsed(observed);
    if (place !== null) learnt.set(keyOf(target), place);
  }

  function placeOf(target: TargetConfig): Promise<VersionPlace> {
    if (target.versionTable !== undefined) return Promise.resolve(target.versionTable);
    const key = keyOf(target);
    const known = learnt.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const before = asked.get(key);
    if (before !== undefined && deps.now() - before.at < askAgainMs) return before.place;
    const place = ask(target).catch(() => usualPlace);
    asked.set(key, { at: deps.now(), place });
    return place;
  }

  return {
    placeOf,
    learn,
    read: async (target, database) => readRevision(database, await placeOf(target)),
  };
}

/** The version table of an observed Alembic: where its own session found it, else as env.py names it. */
function placeUsed(observed: Observed): VersionPlace | null {
  const context = migrationContext(observed);
  if (context === undefined) return null;
  if (context.place !== null) return { schema: context.place.schema, table: context.place.table };
  return { schema: context.schema, table: context.table };
}
