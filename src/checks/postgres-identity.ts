import { z } from 'zod';
import { type DatabaseIdentity, readIdentity } from '../clients/postgres/identity.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, listed, passed, table, unknown } from './outcome.js';
import { explain, withSession } from './session.js';
import { sayServer, saySystem } from './target-state.js';

const Args = z.strictObject({
  /** The targets to compare; all of the runbook's when absent. */
  targets: z.array(z.string(), 'expected a list of target names').min(1).optional(),
  /** Major versions of PostgreSQL that the runbook was tried on. */
  major: z
    .array(
      z.int('expected a major version such as 15'),
      'expected a list of major versions, such as [15, 16]',
    )
    .min(1)
    .optional(),
});

interface Found {
  readonly name: string;
  readonly identity: DatabaseIdentity;
}

/** Targets must be different databases: a "staging" that is production under another name proves nothing. */
export function postgresIdentity(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'postgres.identity',
    changes: false,
    args: Args,
    describe: (args, { runbook }) => ({
      words: `Make sure that ${listed(args.targets ?? runbook.targets)} are different databases that can be written to${
        args.major === undefined ? '' : `, on PostgreSQL ${args.major.join(' or ')}`
      }.`,
      commands: [
        'SELECT system_identifier FROM pg_control_system()',
        'SELECT oid, datname, inet_server_addr(), inet_server_port(), pg_is_in_recovery() FROM pg_database WHERE datname = current_database()',
      ],
    }),
    async run(args, { runbook, applicationName }) {
      const names = args.targets ?? runbook.targets;
      const found: Found[] = [];
      for (const name of names) {
        const target = deps.config.targets[name];
        if (target === undefined) return failed(`${name} is not a target of the configuration`);
        const read = await withSession(target, { applicationName }, readIdentity);
        if (read.kind !== 'ok') {
          const why = `the database of ${name} ${explain(read)}`;
          return unknown(`whether these are different databases could not be read: ${why}`);
        }
        found.push({ name, identity: read.value });
      }
      const output = table([
        ['target', 'database', 'oid', 'server', 'system identifier', 'version'],
        ...found.map(({ name, identity }) => [
          name,
          identity.databaseName,
          identity.databaseOid,
          sayServer(identity),
          saySystem(identity),
          identity.version,
        ]),
      ]);
      const problems = problemsOf(found, args.major);
      if (problems.length > 0) return failed(problems.join('; '), { output });
      return passed(`${listed(names)} are different databases, all writable`, { output });
    },
  });
}

/** Two names are one database when server and database agree, however the URLs spell them. */
export function sameDatabase(a: DatabaseIdentity, b: DatabaseIdentity): boolean {
  const known = a.systemIdentifier.kind === 'known' && b.systemIdentifier.kind === 'known';
  const sameServer = known ? saySystem(a) === saySystem(b) : sayServer(a) === sayServer(b);
  return sameServer && a.databaseOid === b.databaseOid;
}

function problemsOf(found: readonly Found[], major: readonly number[] | undefined): string[] {
  const problems: string[] = [];
  for (const [index, { name, identity }] of found.entries()) {
    for (const other of found.slice(index + 1)) {
      if (sameDatabase(identity, other.identity)) {
        problems.push(
          `${name} and ${other.name} are the same database (${identity.databaseName} on ${sayServer(identity)}): what is tried on one happens to the other`,
        );
      }
    }
    if (identity.inRecovery) {
      problems.push(`${name} is a standby in recovery and cannot be changed; point it at the primary`);
    } else if (identity.readOnly) {
      problems.push(`${name} opens its transactions read-only and cannot be changed by this role`);
    }
    if (major !== undefined && !major.includes(Math.floor(identity.versionNumber / 10_000))) {
      problems.push(
        `${name} runs PostgreSQL ${identity.version}; this runbook was tried on ${major.join(', ')}`,
      );
    }
  }
  return problems;
}
