import { z } from 'zod';
import type { RedisFacts } from '../clients/redis.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { failed, passed, unknown } from './outcome.js';

const Args = z.strictObject({
  appendonly: z.enum(['yes', 'no'], "expected 'yes' or 'no', in quotes").default('yes'),
  'maxmemory-policy': z.string().min(1, 'expected a policy such as noeviction').default('noeviction'),
});

/** Streams need a Redis that keeps what it is given: no loss at a restart, no eviction when memory is full. */
export function redisConfig(): StepKind<TargetConfig> {
  return defineKind({
    name: 'redis.config',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that Redis of ${target.name} has appendonly ${args.appendonly} and maxmemory-policy ${args['maxmemory-policy']}.`,
      commands: ['CONFIG GET appendonly', 'CONFIG GET maxmemory-policy', 'INFO persistence'],
    }),
    async run(args, { target }) {
      const { redisUrl } = target;
      if (redisUrl === null) {
        return failed(`${target.name} has no Redis in the configuration; set its redis-url in m10.yml`);
      }
      // Loaded at the first look: the bot itself keeps no connection to Redis.
      const { readRedis } = await import('../clients/redis.js');
      const read = await readRedis({ ...target, redisUrl, connectTimeoutMs: 5_000 });
      if (read.kind === 'unreachable') {
        return unknown(`the configuration of Redis of ${target.name} could not be read: ${read.message}`);
      }
      const { facts } = read;
      const { appendonly, policy } = settings(facts);
      const output = [
        `redis ${facts.server.version ?? 'of unknown version'}, ${facts.replication.role ?? 'role unknown'}`,
        `appendonly ${appendonly ?? 'unknown'}`,
        `maxmemory-policy ${policy ?? 'unknown'}`,
      ].join('\n');
      const problems = [
        ...(appendonly === null || appendonly === args.appendonly
          ? []
          : [`appendonly is ${appendonly}, expected ${args.appendonly}: a restart would lose messages`]),
        ...(policy === null || policy === args['maxmemory-policy']
          ? []
          : [
              `maxmemory-policy is ${policy}, expected ${args['maxmemory-policy']}: a full server would drop streams`,
            ]),
        ...(facts.persistence.lastAofWrite === 'err'
          ? ['the last write of the append-only file failed']
          : []),
        ...clusterProblem(facts.server.mode),
        ...(facts.replication.role === 'slave' ? ['it is a replica, which takes no writes'] : []),
      ];
      if (problems.length > 0) return failed(`Redis of ${target.name}: ${problems.join('; ')}`, { output });
      if (appendonly === null || policy === null) {
        const reason = facts.config.kind === 'not_permitted' ? ` (${facts.config.reason})` : '';
        return unknown(
          `Redis of ${target.name} does not tell its ${policy === null ? 'maxmemory-policy' : 'appendonly'}${reason}; look in its provider's settings, then skip this check with what you found`,
          { output },
        );
      }
      return passed(`Redis of ${target.name} has appendonly ${appendonly} and maxmemory-policy ${policy}`, {
        output,
      });
    },
  });
}

/** Streams, their hash and their set are used together, which a cluster refuses with CROSSSLOT. */
function clusterProblem(mode: string | null): string[] {
  if (mode === 'cluster') return ['it runs in cluster mode, in which the jobs of M10 do not work'];
  return mode === 'sentinel' ? ['it is a Sentinel, which keeps no data: name the Redis that it watches'] : [];
}

/** CONFIG is often forbidden; INFO still tells of the append-only file. */
function settings(facts: RedisFacts): { appendonly: string | null; policy: string | null } {
  const { config, persistence } = facts;
  const aof = persistence.aofEnabled === null ? null : persistence.aofEnabled ? 'yes' : 'no';
  return config.kind === 'known'
    ? { appendonly: config.appendonly ?? aof, policy: config.maxmemoryPolicy }
    : { appendonly: aof, policy: null };
}
