import { type RedisResult, readRedis } from '../clients/redis.js';
import type { TargetConfig } from '../config.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

const remedies: Record<(RedisResult & { kind: 'unreachable' })['cause'], string> = {
  url: 'correct redis-url: redis://:password@host:6379/0',
  network: 'start Redis, or correct host and port of redis-url',
  tls: 'let redis-url begin with rediss:// where Redis speaks TLS, and name who signed its certificate in redis-ca',
  authentication: 'correct the password of redis-url',
  other: 'correct redis-url, or look into the log of Redis',
};

/** A target's Redis: reachable, and set up so that streams neither vanish nor are evicted. */
export function redisCheck(target: TargetConfig, url: string): Check {
  const what = `Redis of ${target.name}`;
  return {
    what,
    async run() {
      const read = await readRedis({ ...target, redisUrl: url, connectTimeoutMs: 8_000 });
      if (read.kind === 'unreachable') {
        return [problem(what, `cannot be reached: ${read.message}`, remedies[read.cause])];
      }
      const { config, server } = read.facts;
      const version = `Redis ${server.version ?? 'of unknown version'}`;
      const modes = modeFindings(what, server.mode);
      if (config.kind === 'not_permitted') {
        const facts = `${version}; CONFIG is not permitted, so appendonly and maxmemory-policy were not checked`;
        return [...modes, attention(what, facts, 'look them up where this Redis is managed')];
      }
      const findings: Finding[] = [...modes];
      if (config.appendonly !== 'yes') {
        findings.push(
          problem(
            what,
            `appendonly is ${config.appendonly ?? 'unknown'}: a restart loses stream entries`,
            'set appendonly yes',
          ),
        );
      }
      if (config.maxmemoryPolicy !== 'noeviction') {
        const facts = `maxmemory-policy is ${config.maxmemoryPolicy ?? 'unknown'}: streams may be evicted`;
        findings.push(problem(what, facts, 'set maxmemory-policy noeviction'));
      }
      return findings.length > 0
        ? findings
        : [fine(what, `${version}, appendonly yes, maxmemory-policy noeviction`)];
    },
  };
}

function modeFindings(what: string, mode: string | null): Finding[] {
  if (mode === 'cluster') {
    const facts = 'runs in cluster mode, in which the jobs of M10 do not work (CROSSSLOT)';
    return [problem(what, facts, 'let redis-url lead to a Redis without cluster mode')];
  }
  if (mode === 'sentinel') {
    return [
      problem(what, 'is a Sentinel, which keeps no data', 'name the Redis that it watches in redis-url'),
    ];
  }
  return [];
}
