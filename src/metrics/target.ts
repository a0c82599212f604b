import { Counter, type Registry } from 'prom-client';
import { type DatabaseFigures, type Figure, figure, readFigures } from '../clients/m10/figures.js';
import {
  outboxTable,
  type Published,
  type PublishedMark,
  publishedHead,
  publishedSince,
} from '../clients/m10/published.js';
import { readStreamFigures, type StreamFigures } from '../clients/m10/stream-figures.js';
import { connect, type Queryable } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import { createReading, one } from './gauges.js';
import { createCap, type EventLabelling } from './labels.js';
import { createRefresher, type Refresher } from './refresh.js';

export interface TargetMetricsDeps {
  readonly registry: Registry;
  readonly target: Pick<TargetConfig, 'name' | 'databaseUrl' | 'redisUrl' | 'redisCa'>;
  readonly labels: EventLabelling;
  readonly redact: (text: string) => string;
  readonly log: { warn(fields: object, message: string): void };
  /** How long a reading stays good, ms. */
  readonly keepMs?: number;
}

/** How long a scrape may wait for the target, ms. Prometheus gives up after 10 s by default. */
const deadlineMs = 6_000;
const connectTimeoutMs = 2_000;
const statementTimeoutMs = 2_000;
/** A migration that waits for its lock must not have readers wait behind it, ms. */
const lockTimeoutMs = 250;

type Source = 'database' | 'redis';

/**
 * The figures of the target, read when somebody asks. Each read has a session of its own: one that stays open
 * would hold up a database that is to be renamed or dropped.
 */
export function createTargetMetrics(deps: TargetMetricsDeps): readonly Refresher[] {
  const { registry, target, labels, redact, log, keepMs = 5_000 } = deps;
  const lockName = createCap(redact);
  const viewName = createCap(redact);
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
    createReading(registry, name, help, labelNames);

  const up = {
    database: 0,
    redis: 0,
  };
  const upGauge = gauge('m10bot_target_up', 'Whether a source of the figures answered.', 'target', 'source');
  const sources: readonly Source[] = target.redisUrl === null ? ['database'] : ['database', 'redis'];
  const say = (source: Source, value: 0 | 1) => {
    up[source] = value;
    if (value === 1) told.delete(source);
    upGauge.set(sources.map((s) => ({ labels: { target: target.name, source: s }, value: up[s] })));
  };
  const errors = new Counter({
    name: 'm10bot_target_errors_total',
    help: 'Figures of the target that could not be read.',
    labelNames: ['target', 'source'],
    registers: [registry],
  });
  for (const source of sources) errors.inc({ target: target.name, source }, 0);
  const told = new Map<Source, string>();
  const fail = (source: Source, error: unknown) => {
    errors.inc({ target: target.name, source });
    // An outage is a line, not one for each scrape.
    const why = error instanceof Error ? error.message : String(error);
    if (told.get(source) === why) return;
    told.set(source, why);
    log.warn({ error, target: target.name, source }, 'figures of the target could not be read');
  };

  const hardened = gauge('m10bot_target_hardened', 'Whether the tables of revision 022 are there.', 'target');
  const lockActive = gauge('m10_lock_active', '1 for each lock that is held by anybody.', 'lock_name');
  const pending = gauge('m10_outbox_pending', 'Events that wait for delivery.');
  const lag = gauge('m10_outbox_lag_seconds', 'Age of the oldest event that waits; 0 without one.');
  const retries = gauge('m10_outbox_retry_count', 'Failed tries of the events that wait.');
  const due = gauge('m10bot_outbox_due', 'Events that wait and could be taken now.');
  const dueLag = gauge('m10bot_outbox_due_lag_seconds', 'How long an event has been due that nobody took.');
  const archive = gauge('m10_archive_size', 'Rows in the archive of dead letters.');
  const viewAge = gauge('recovery_matview_age_seconds', 'Since the last refresh that worked.', 'view_name');
  const length = gauge('recovery_stream_length', 'Messages in the main stream, those acknowledged included.');
  const consumers = gauge('recovery_stream_consumers', 'Consumers of the group of the main stream.');
  const deadLetters = gauge('recovery_dead_letter_length', 'Messages in the dead-letter stream.');
  const backlog = gauge('m10bot_stream_backlog', 'Messages of the main stream that nobody has acknowledged.');
  const publishedTotal = new Counter({
    name: 'm10_outbox_published_total',
    help: 'Events that came into the outbox since this replica began to count.',
    labelNames: ['aggregate_type', 'event_type'],
    registers: [registry],
  });

  /** null: the table was not there when it was looked at last; undefined: it has not been looked at. */
  let mark: PublishedMark | null | undefined;

  async function readPublished(database: Queryable): Promise<Published | null> {
    const table = await outboxTable(database);
    if (table === null) return null;
    // A table that was made while we looked on is counted from its beginning.
    if (mark === null) return publishedSince(database, { table, high: 0, gaps: [] });
    if (mark === undefined || mark.table !== table) return publishedHead(database, table);
    return publishedSince(database, mark);
  }

  async function readDatabase() {
    const connection = await connect({
      url: target.databaseUrl,
      applicationName: 'm10bot-metrics',
      statementTimeoutMs,
      lockTimeoutMs,
      connectTimeoutMs,
    });
    if (connection.kind === 'unreachable') throw new Error(connection.message);
    try {
      const figures = await readFigures(connection.database);
      const published = await figure(() => readPublished(connection.database));
      return () => showDatabase(figures, published);
    } finally {
      await connection.database.close();
    }
  }

  function showDatabase(figures: DatabaseFigures, published: Figure<Published | null>): void {
    for (const each of [...Object.values(figures), published]) {
      if (each.kind === 'failed') fail('database', each.why);
    }
    const { outbox, locks, archived, views } = figures;
    const of = <T>(read: Figure<T>) => (read.kind === 'read' ? read.value : null);
    hardened.set(
      figures.hardened.kind === 'read'
        ? [{ labels: { target: target.name }, value: figures.hardened.value ? 1 : 0 }]
        : [],
    );
    const numbers = of(outbox);
    pending.set(one(numbers?.pending ?? null));
    lag.set(one(numbers?.lag ?? null));
    retries.set(one(numbers?.retries ?? null));
    due.set(one(numbers?.due ?? null));
    dueLag.set(one(numbers?.dueLag ?? null));
    archive.set(one(of(archived)));
    lockActive.set((of(locks) ?? []).map((name) => ({ labels: { lock_name: lockName(name) }, value: 1 })));
    viewAge.set(
      (of(views) ?? []).map(({ view, age }) => ({ labels: { view_name: viewName(view) }, value: age })),
    );
    if (published.kind === 'absent' || (published.kind === 'read' && published.value === null)) mark = null;
    if (published.kind === 'read' && published.value !== null) {
      mark = published.value.mark;
      for (const { aggregateType, eventType, count } of published.value.events) {
        publishedTotal.inc(labels.pair(aggregateType, eventType), count);
      }
    }
    say('database', 1);
  }

  function showRedis(figures: StreamFigures): void {
    length.set(one(figures.length));
    consumers.set(one(figures.consumers));
    deadLetters.set(one(figures.deadLetters));
    backlog.set(one(figures.backlog));
    say('redis', 1);
  }

  const ofDatabase = [hardened, lockActive, pending, lag, retries, due, dueLag, archive, viewAge];
  const ofRedis = [length, consumers, deadLetters, backlog];
  const refresher = (source: Source, read: () => Promise<() => void>) =>
    createRefresher(read, {
      keepMs,
      deadlineMs,
      onFailure(error) {
        for (const each of source === 'database' ? ofDatabase : ofRedis) each.absent();
        fail(source, error);
        say(source, 0);
      },
    });
  const { redisUrl } = target;
  return [
    refresher('database', readDatabase),
    ...(redisUrl === null
      ? []
      : [
          refresher('redis', async () => {
            const figures = await readStreamFigures({ ...target, redisUrl }, connectTimeoutMs);
            return () => showRedis(figures);
          }),
        ]),
  ];
}
