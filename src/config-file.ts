import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseDatabaseUrl } from './clients/postgres/url.js';
import { redisUrlProblem } from './clients/redis-url.js';
import { JobsFile, TimeZone } from './config-jobs.js';
import { Duration, GatePolicy } from './runbook/definition.js';
import { issuesToProblems, problemAt, readYaml, type YamlSource } from './yaml-source.js';

const Id = (letter: string, what: string) =>
  z
    .string(`expected the id of ${what}, such as ${letter}0123ABCD`)
    .regex(new RegExp(`^${letter}[A-Z0-9_]{2,}$`), `expected the id of ${what}, such as ${letter}0123ABCD`);
const UserId = z
  .string('expected a Slack user id, such as U0123ABCD')
  .regex(/^[UW][A-Z0-9_]{2,}$/, 'expected a Slack user id, such as U0123ABCD (not a name)');
const Text = z.string('expected a text').min(1, 'expected a text that is not empty');
const UrlOf = (protocols: readonly string[], example: string) =>
  z
    .string(`expected a URL such as ${example}`)
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      // The value may hold a password, so it is not repeated.
      error: `expected a URL such as ${example}, found something else (not shown: it may hold a password)`,
    });
/** The value may hold a password, so it is not repeated: what is wrong with it is said. */
const PostgresUrl = z
  .string('expected a URL such as postgresql://user:password@host:5432/name')
  .superRefine((text, ctx) => {
    const read = parseDatabaseUrl(text);
    if (read.kind === 'address') return;
    ctx.addIssue({
      code: 'custom',
      message: `expected a URL such as postgresql://user:password@host:5432/name, found one that cannot be used (not shown: it may hold a password): ${read.problem}`,
    });
  });
const RedisUrl = z.string('expected a URL such as redis://:password@host:6379/0').superRefine((text, ctx) => {
  const problem = redisUrlProblem(text);
  if (problem === null) return;
  ctx.addIssue({
    code: 'custom',
    message: `expected a URL such as redis://:password@host:6379/0, found one that cannot be used (not shown: it may hold a password): ${problem}`,
  });
});
const Clock = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day such as "02:30", in quotes');
const Bytes = z.string('expected a size with its unit, such as 500MiB or 2GiB').transform((text, ctx) => {
  const match = /^(\d+)\s*(MiB|GiB|TiB)$/.exec(text);
  const unit = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    ctx.addIssue({ code: 'custom', message: 'expected a size with its unit, such as 500MiB or 2GiB' });
    return z.NEVER;
  }
  return Number(match[1]) * unit;
});

const ListFile = z.strictObject({
  users: z.array(UserId).default([]),
  usergroups: z.array(Id('S', 'a user group')).default([]),
});

const TargetFile = z.strictObject({
  'database-url': PostgresUrl,
  'redis-url': RedisUrl.optional(),
  // Certificates of those who may sign for a Redis with TLS, beside those that the machine trusts; PEM.
  'redis-ca': Text.optional(),
  directory: Text,
  // Where Alembic keeps its revision: `table`, or `schema.table`.
  'version-table': z
    .string('expected a table such as ops.alembic_version')
    .regex(/^(?:[^.\s]+\.)?[^.\s]+$/, 'expected a table such as alembic_version or ops.alembic_version')
    .optional(),
  env: z.record(z.string(), z.string('expected a text; put numbers in quotes')).default({}),
  'metrics-url': UrlOf(['http:', 'https:'], 'http://localhost:8000/metrics').optional(),
  // Without a limit of its own a target leaves it to the phase, which always has one.
  gate: GatePolicy.extend({ expires: Duration.default(24 * 3_600_000) }).prefault({}),
});

/** The shape of `m10.yml`. */
export const ConfigFile = z.strictObject({
  slack: z.strictObject({ channel: Id('[CG]', 'a channel'), team: Id('[TE]', 'the workspace') }),
  operators: z.array(UserId).min(1, 'expected at least one operator'),
  approvers: z
    .record(z.string(), ListFile)
    .refine((lists) => Object.values(lists).some((l) => l.users.length + l.usergroups.length > 0), {
      error: 'expected at least one approver list with a user or a user group',
    }),
  runbook: Text,
  targets: z.record(z.string(), TargetFile).refine((t) => Object.keys(t).length > 0, 'expected a target'),
  backups: z.strictObject({ directory: Text, 'min-free': Bytes.default(2 ** 30) }),
  windows: z
    .array(
      z.strictObject({
        days: z.array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])).min(1),
        from: Clock,
        to: Clock,
        timezone: TimeZone.default('UTC'),
      }),
    )
    .default([]),
  state: z
    .strictObject({
      directory: Text.default('.m10'),
      /** How long a shutdown waits for what runs before it leaves it to itself, ms. */
      'stop-wait': Duration.default(20_000),
    })
    .prefault({}),
  jobs: JobsFile.optional(),
});

/** What was read, or what is wrong with it: never neither. */
export type ReadConfigFile =
  | { readonly kind: 'read'; readonly file: z.infer<typeof ConfigFile> }
  | { readonly kind: 'broken'; readonly problems: readonly [string, ...string[]] };

/** Reads the file, fills in the environment's values and checks all of it: every mistake at once. */
export function readConfigFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): ReadConfigFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return brokenBy(
      `${file}: expected a readable configuration file (M10_CONFIG names another one; start from m10.example.yml), found none`,
    );
  }
  const source = readYaml(file, text);
  const [first, ...others] = source.problems;
  if (first !== undefined) return brokenBy(first, ...others);
  const problems: string[] = [];
  const lost: string[] = [];
  const value = expandVariables(
    source.value,
    [],
    (path, name) => {
      problems.push(
        `${source.locate(path)} ${path.join('.')}: expected the environment variable ${name}, found nothing`,
      );
      lost.push(keyOf(path));
      return null;
    },
    env,
  );
  const parsed = ConfigFile.safeParse(value);
  const issues = parsed.success ? [] : withoutLost(parsed.error.issues, [], new Set(lost));
  problems.push(...issuesToProblems(source, issues), ...crossChecks(value, source));
  const [problem, ...more] = problems;
  if (parsed.success && problem === undefined) return { kind: 'read', file: parsed.data };
  return brokenBy(problem ?? `${file}: expected a configuration, found something else`, ...more);
}

const brokenBy = (...problems: readonly [string, ...string[]]): ReadConfigFile => ({
  kind: 'broken',
  problems,
});

const keyOf = (path: readonly PropertyKey[]) => JSON.stringify(path);

/** Without what is said of a value whose variable is missing, since that has been reported already. */
function withoutLost(
  issues: readonly z.core.$ZodIssue[],
  above: readonly PropertyKey[],
  lost: ReadonlySet<string>,
): z.core.$ZodIssue[] {
  return issues.filter((issue) => {
    const path = [...above, ...issue.path];
    if (lost.has(keyOf(path))) return false;
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return true;
    return issue.errors.every((branch) => withoutLost(branch, path, lost).length > 0);
  });
}

/** As much of the file as the parts are held against each other by; what has another shape is told elsewhere. */
const Related = z.object({
  targets: z
    .record(
      z.string(),
      z
        .object({
          'database-url': z.string().optional().catch(undefined),
          gate: z
            .object({ from: z.string().optional().catch(undefined) })
            .optional()
            .catch(undefined),
        })
        .catch({}),
    )
    .catch({}),
  approvers: z.record(z.string(), z.unknown()).catch({}),
  jobs: z
    .object({ target: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** Mistakes that only show when the parts are held against each other, whatever else is wrong. */
function crossChecks(value: unknown, source: YamlSource): string[] {
  const parsed = Related.safeParse(value);
  if (!parsed.success) return [];
  const read = parsed.data;
  const [lists, names] = [Object.keys(read.approvers), Object.keys(read.targets)];
  const problems: string[] = [];
  const urls = Object.entries(read.targets).map(([name, t]) => [name, t['database-url']] as const);
  for (const [i, [name, url]] of urls.entries()) {
    const same = url === undefined ? undefined : urls.slice(0, i).find(([, other]) => other === url);
    if (same !== undefined) {
      const path = ['targets', name, 'database-url'];
      problems.push(
        `${source.locate(path)} ${path.join('.')}: expected a database of its own, found the one of ${same[0]}`,
      );
    }
    const list = read.targets[name]?.gate?.from;
    if (list !== undefined && lists.length > 0 && !lists.includes(list)) {
      const message = `expected an approver list (${lists.join(', ')})`;
      problems.push(problemAt(source, ['targets', name, 'gate', 'from'], message));
    }
  }
  const jobsTarget = read.jobs?.target;
  if (jobsTarget !== undefined && names.length > 0 && !names.includes(jobsTarget)) {
    problems.push(problemAt(source, ['jobs', 'target'], `expected a target (${names.join(', ')})`));
  }
  return problems;
}

/** Puts the environment's values in place of `${NAME}`; `$${` stays `${`. */
function expandVariables(
  value: unknown,
  path: readonly (string | number)[],
  missing: (path: readonly (string | number)[], name: string) => null,
  env: Readonly<Record<string, string | undefined>>,
): unknown {
  if (typeof value === 'string') {
    let lost = false;
    const text = value.replace(
      /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
      (whole, escaped: string, name: string) => {
        if (escaped === '$') return whole.slice(1);
        const found = env[name];
        if (found !== undefined) return found;
        lost = true;
        missing(path, name);
        return '';
      },
    );
    return lost ? null : text;
  }
  if (Array.isArray(value)) return value.map((item, i) => expandVariables(item, [...path, i], missing, env));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, expandVariables(item, [...path, key], missing, env)]),
    );
  }
  return value;
}
