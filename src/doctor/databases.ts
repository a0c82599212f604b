import { listed } from '../checks/outcome.js';
import type { TargetConfig } from '../config.js';
import { clockFinding } from './clock.js';
import type { DatabaseFacts, DatabaseLook } from './database-facts.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

/** A target's database: reachable, writable, and its user may do what a migration needs. */
export function databaseCheck(target: TargetConfig, look: () => Promise<DatabaseLook>): Check {
  const what = `database of ${target.name}`;
  return {
    what,
    async run() {
      const seen = await look();
      if (seen.kind === 'failed') return [problem(what, seen.facts, seen.todo)];
      return [...findingsOf(what, seen.facts), ...clockFinding(what, seen.facts.clockAheadMs)];
    },
  };
}

function findingsOf(what: string, { identity, revision, versionTable, rights }: DatabaseFacts): Finding[] {
  const findings: Finding[] = [];
  const { user } = identity;
  const where = `${identity.databaseName}, PostgreSQL ${identity.version}, ${revision}, as ${user}`;
  if (identity.inRecovery || identity.readOnly) {
    const facts = identity.inRecovery
      ? 'is a standby, which takes no changes'
      : 'takes no changes (read-only)';
    findings.push(problem(what, facts, 'let the URL name the primary'));
  }
  if (rights.writesRevision === false) {
    findings.push(
      problem(
        what,
        `${user} may not write ${versionTable}`,
        `let the URL name the owner, or grant it to ${user}`,
      ),
    );
  }
  if (!rights.createSchema && rights.openSchemas === 0) {
    findings.push(
      problem(
        what,
        `${user} may create nothing: neither schemas nor anything in one`,
        `let the URL name the owner, or grant CREATE to ${user}`,
      ),
    );
  } else if (rights.closedSchemas.length > 0) {
    findings.push(
      attention(
        what,
        `${user} may not create anything in ${listed(rights.closedSchemas)}`,
        'grant CREATE there if the migration needs it',
      ),
    );
  }
  if (!rights.seesSessions) {
    findings.push(
      attention(
        what,
        `${user} does not see what other users' sessions do, so who blocks a migration stays unknown`,
        `grant pg_monitor to ${user}`,
      ),
    );
  }
  if (!rights.endsSessions) {
    findings.push(
      attention(
        what,
        `${user} may end its own sessions only`,
        `grant pg_signal_backend to ${user} if a restore must end others`,
      ),
    );
  }
  return findings.some((f) => f.mark === 'problem') ? findings : [fine(what, where), ...findings];
}

/** One physical database, however many URLs lead to it. */
export function identityKey({ identity }: DatabaseFacts): string {
  const { systemIdentifier: system } = identity;
  return system.kind === 'known'
    ? `${system.value}/${identity.databaseOid}`
    : `${identity.serverAddress}:${identity.serverPort}/${identity.databaseOid}/${identity.databaseName}`;
}

/** No two targets may be one database, whatever their URLs look like, and the bot's state none of them. */
export function apartCheck(
  targets: readonly { readonly name: string; readonly look: () => Promise<DatabaseLook> }[],
  state: () => Promise<DatabaseLook | null>,
): Check {
  const what = 'databases apart';
  return {
    what,
    async run() {
      const findings: Finding[] = [];
      const known = new Map<string, string>();
      const own = await state();
      const ownKey = own?.kind === 'read' ? identityKey(own.facts) : null;
      let unread = own?.kind === 'failed';
      for (const { name, look } of targets) {
        const seen = await look();
        if (seen.kind === 'failed') {
          unread = true;
          continue;
        }
        const key = identityKey(seen.facts);
        const other = known.get(key);
        if (key === ownKey) {
          const facts = `the state database is the one of ${name}; a restore there would erase the record of the restore`;
          findings.push(
            problem(what, facts, 'create a database for the bot alone and name it in STATE_DATABASE_URL'),
          );
        }
        if (other !== undefined) {
          const todo = `correct database-url of ${other} or ${name}`;
          findings.push(problem(what, `${other} and ${name} are one and the same database`, todo));
        }
        known.set(key, name);
      }
      if (findings.length > 0) return findings;
      if (unread) return [attention(what, 'not fully checked, since not every database could be read')];
      return [
        fine(what, `${listed(targets.map((t) => t.name))} and the bot's state are different databases`),
      ];
    },
  };
}
