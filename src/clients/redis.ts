import type { Redis } from 'ioredis';
import { z } from 'zod';
import { openRedis } from './redis-connection.js';
import { describeRedisFailure, type RedisFailure } from './redis-failure.js';
import { type RedisPlace, redisUrlProblem } from './redis-url.js';

export interface RedisOptions extends RedisPlace {
  readonly connectTimeoutMs: number;
}

export interface RedisConfig {
  /** `yes` or `no`. */
  readonly appendonly: string | null;
  readonly maxmemoryPolicy: string | null;
  /** Bytes; 0 for no limit. */
  readonly maxmemory: number | null;
}

/** What Redis tells about itself. Null: this server does not have the field. */
export interface RedisFacts {
  /** Managed services often forbid CONFIG. */
  readonly config:
    | ({ readonly kind: 'known' } & RedisConfig)
    | { readonly kind: 'not_permitted'; readonly reason: string };
  readonly server: {
    readonly version: string | null;
    readonly mode: string | null;
    readonly runId: string | null;
    readonly uptimeSeconds: number | null;
  };
  readonly persistence: {
    readonly loading: boolean | null;
    readonly aofEnabled: boolean | null;
    /** `ok` or `err`. */
    readonly lastAofWrite: string | null;
    readonly lastBgsave: string | null;
  };
  readonly replication: {
    readonly role: string | null;
    readonly connectedReplicas: number | null;
    /** `up` or `down`, of a replica. */
    readonly masterLink: string | null;
  };
}

export type RedisResult =
  | { readonly kind: 'read'; readonly facts: RedisFacts }
  | {
      readonly kind: 'unreachable';
      readonly cause: 'url' | 'network' | 'tls' | 'authentication' | 'other';
      readonly message: string;
    };

/** Connects once, without retries, reads configuration and INFO, and disconnects. */
export async function readRedis(options: RedisOptions): Promise<RedisResult> {
  const problem = redisUrlProblem(options.redisUrl);
  if (problem !== null) return { kind: 'unreachable', cause: 'url', message: problem };
  const { connectTimeoutMs } = options;
  let redis: Redis | undefined;
  try {
    redis = await openRedis(options, 'm10bot', { connectTimeoutMs, commandTimeoutMs: connectTimeoutMs });
    const config = await readConfig(redis);
    return { kind: 'read', facts: { config, ...parseInfo(await readInfo(redis)) } };
  } catch (error) {
    return unreachable(error);
  } finally {
    redis?.disconnect();
  }
}

async function readConfig(redis: Redis): Promise<RedisFacts['config']> {
  const values = new Map<string, string>();
  try {
    for (const name of ['appendonly', 'maxmemory-policy', 'maxmemory']) {
      for (const [key, value] of pairs(await redis.config('GET', name))) values.set(key, value);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // NOPERM by an ACL, an unknown command where it was renamed away.
    if (/NOPERM|unknown command|unknown subcommand|not allowed/i.test(message)) {
      return { kind: 'not_permitted', reason: message };
    }
    throw error;
  }
  return {
    kind: 'known',
    appendonly: values.get('appendonly') ?? null,
    maxmemoryPolicy: values.get('maxmemory-policy') ?? null,
    maxmemory: numberOrNull(values.get('maxmemory')),
  };
}

async function readInfo(redis: Redis): Promise<string> {
  const sections: string[] = [];
  for (const section of ['server', 'persistence', 'replication']) sections.push(await redis.info(section));
  return sections.join('\n');
}

/** Reads the `name:value` lines of INFO: https://redis.io/docs/latest/commands/info/ */
export function parseInfo(text: string): Omit<RedisFacts, 'config'> {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#'));
  const fields = new Map(
    lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]),
  );
  const get = (name: string) => fields.get(name) ?? null;
  const flag = (name: string) => (fields.has(name) ? fields.get(name) !== '0' : null);
  return {
    server: {
      version: get('redis_version'),
      mode: get('redis_mode'),
      runId: get('run_id'),
      uptimeSeconds: numberOrNull(fields.get('uptime_in_seconds')),
    },
    persistence: {
      loading: flag('loading'),
      aofEnabled: flag('aof_enabled'),
      lastAofWrite: get('aof_last_write_status'),
      lastBgsave: get('rdb_last_bgsave_status'),
    },
    replication: {
      role: get('role'),
      connectedReplicas: numberOrNull(fields.get('connected_slaves')),
      masterLink: get('master_link_status'),
    },
  };
}

/** CONFIG GET answers a flat list under RESP2 and a map under RESP3. */
function pairs(reply: unknown): [string, string][] {
  const list = z.array(z.string()).safeParse(reply);
  if (list.success) {
    return list.data.flatMap((name, at) => (at % 2 === 0 ? [[name, list.data[at + 1] ?? '']] : []));
  }
  if (reply instanceof Map) return z.array(z.tuple([z.string(), z.string()])).parse([...reply]);
  return Object.entries(z.record(z.string(), z.string()).parse(reply));
}

function unreachable(error: unknown): RedisResult {
  const failure = describeRedisFailure(error);
  if (failure === null) throw error;
  return { kind: 'unreachable', cause: causes[failure.kind] ?? 'other', message: failure.message };
}

const causes: Partial<Record<RedisFailure['kind'], 'network' | 'tls' | 'authentication'>> = {
  gone: 'network',
  tls: 'tls',
  authentication: 'authentication',
  permission: 'authentication',
};

function numberOrNull(text: string | undefined): number | null {
  const value = Number(text);
  return text === undefined || text === '' || !Number.isFinite(value) ? null : value;
}
