import { type DatabaseIdentity, readIdentity } from '../clients/postgres/identity.js';
import type { RevisionTable } from '../clients/postgres/revision.js';
import type { TargetConfig } from '../config.js';
import type { TargetState } from '../runbook/events.js';
import { revisionLabel, sayRevision } from './revision.js';
import type { Revisions } from './revisions.js';
import { explain, type SessionResult, withSession } from './session.js';

export interface TargetReader {
  /** What a target is now. Never throws: a database that cannot be read is a state, too. */
  state(target: TargetConfig): Promise<TargetState>;
  /**
   * What an approval binds to: which database it is, and where it stands.
   * @throws when the database cannot be read
   */
  identityParts(target: TargetConfig): Promise<Readonly<Record<string, string>>>;
}

interface Facts {
  readonly identity: DatabaseIdentity;
  readonly stored: RevisionTable;
}

/** Reads targets over plain connections: fast enough for every status, and right even while Alembic is broken. */
export function createTargetReader(revisions: Revisions): TargetReader {
  return {
    async state(target) {
      const read = await readFacts(revisions, target);
      if (read.kind !== 'ok') {
        const summary = `the database ${explain(read)}`;
        return { target: target.name, summary, revision: null, reachable: false };
      }
      const { identity, stored } = read.value;
      return {
        target: target.name,
        summary: `at ${sayRevision(stored)}${identity.inRecovery ? ', on a read-only standby' : ''}`,
        revision: revisionLabel(stored),
        reachable: true,
      };
    },
    async identityParts(target) {
      const read = await readFacts(revisions, target);
      if (read.kind !== 'ok') throw new Error(`the database of ${target.name} ${explain(read)}`);
      const { identity, stored } = read.value;
      return {
        'system identifier': saySystem(identity),
        database: `${identity.databaseName} (oid ${identity.databaseOid})`,
        server: sayServer(identity),
        role: identity.user,
        revision: sayRevision(stored),
      };
    },
  };
}

function readFacts(revisions: Revisions, target: TargetConfig): Promise<SessionResult<Facts>> {
  return withSession(
    target,
    { applicationName: 'm10bot:state', statementTimeoutMs: 5_000 },
    async (database) => ({
      identity: await readIdentity(database),
      stored: await revisions.read(target, database),
    }),
  );
}

export function sayServer(identity: DatabaseIdentity): string {
  return identity.serverAddress === null
    ? 'local socket'
    : `${identity.serverAddress}:${identity.serverPort ?? '?'}`;
}

export function saySystem(identity: DatabaseIdentity): string {
  return identity.systemIdentifier.kind === 'known' ? identity.systemIdentifier.value : 'not readable';
}
