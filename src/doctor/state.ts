import { access, constants, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readDisk } from '../clients/disk.js';
import { type Config, ConfigError } from '../config.js';
import { foreignProblem, readBound, unreadableTodo } from '../main/directory.js';
import { serverBinaries, serverUser } from '../store/embeddedBinaries.js';
import { clusterFolder } from '../store/embeddedCluster.js';
import { readPostmaster } from '../store/postmaster.js';
import { clockFinding } from './clock.js';
import type { DatabaseFacts, DatabaseLook } from './database-facts.js';
import { type Check, type Finding, fine, problem } from './finding.js';

/** Where the bot keeps its journal: a database of its own, or one that it starts itself. */
export function stateCheck(config: Pick<Config, 'state'>, look: () => Promise<DatabaseLook | null>): Check {
  return {
    what: 'state database',
    async run() {
      const seen = await look();
      const { directory } = config.state;
      const stateId = seen?.kind === 'read' ? seen.facts.stateId : null;
      const folder = [...(await folderFindings(directory)), ...(await boundFindings(directory, stateId))];
      if (seen === null) return [...folder, ...(await embedded(config.state.directory))];
      if (seen.kind === 'failed') return [problem('state database', seen.facts, seen.todo), ...folder];
      return [...findingsOf(seen.facts), ...folder];
    },
  };
}

function findingsOf({ identity, rights, clockAheadMs }: DatabaseFacts): Finding[] {
  const what = 'state database';
  const { user } = identity;
  const findings: Finding[] = [];
  if (identity.inRecovery || identity.readOnly) {
    findings.push(problem(what, 'takes no changes', 'let STATE_DATABASE_URL name the primary'));
  }
  if (rights.encoding !== 'UTF8') {
    findings.push(problem(what, `is encoded in ${rights.encoding}`, "create one with ENCODING 'UTF8'"));
  }
  if (rights.worksInOwnSchema === false) {
    findings.push(problem(what, `${user} may not use the schema m10bot`, `make ${user} its owner`));
  }
  if (rights.worksInOwnSchema === null && !rights.createSchema) {
    const todo = `grant CREATE on database ${identity.databaseName} to ${user}`;
    findings.push(problem(what, `${user} may not create the schema m10bot`, todo));
  }
  const tables =
    rights.worksInOwnSchema === null ? 'the tables are made at the first start' : 'has its tables';
  return [
    ...(findings.length > 0
      ? findings
      : [fine(what, `${identity.databaseName}, PostgreSQL ${identity.version}, as ${user}; ${tables}`)]),
    ...clockFinding(what, clockAheadMs),
  ];
}

/** The state directory also holds outputs of steps, so it is needed with any database. */
async function folderFindings(directory: string): Promise<Finding[]> {
  const what = `state directory ${directory}`;
  const disk = await readDisk(await nearestExisting(directory));
  if (disk.kind !== 'directory') {
    return [problem(what, 'is not a directory', 'set state.directory to one, or move away what is there')];
  }
  if (!disk.writable) {
    const todo = 'give it to the user of the bot, or set state.directory to another place';
    return [problem(what, `cannot be written: ${disk.problem}`, todo)];
  }
  const there = await stat(directory).catch(() => null);
  return [fine(what, there === null ? 'is made at the first start' : 'writable')];
}

/** Whether the directory and the state database belong to each other. */
async function boundFindings(directory: string, stateId: string | null): Promise<Finding[]> {
  const what = `state directory ${directory}`;
  try {
    const bound = await readBound(directory);
    if (bound === null) return [];
    if (stateId === null) return [fine(what, `bound to state database ${bound.database}`)];
    const foreign = foreignProblem(directory, bound, stateId);
    return foreign === null
      ? [fine(what, `bound to this state database, ${stateId}`)]
      : [problem(what, foreign.facts, foreign.todo)];
  } catch (error) {
    const why = error instanceof ConfigError ? error.problems.join('; ') : String(error);
    return [problem(what, why.replace(`: ${unreadableTodo}`, ''), unreadableTodo)];
  }
}

/** Whether the bot can start its own PostgreSQL. It is not started here: a running bot may be using it. */
async function embedded(directory: string): Promise<Finding[]> {
  const what = 'state database';
  const cluster = clusterFolder(join(directory, 'postgres'));
  const running = await readPostmaster(cluster);
  if (running !== undefined) {
    return [fine(what, `embedded PostgreSQL, running on port ${running.port}; for one replica`)];
  }
  try {
    await serverUser(cluster);
    const { postgres } = await serverBinaries(undefined, directory);
    await access(postgres, constants.X_OK);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const todo = 'follow the message, or set STATE_DATABASE_URL to a database of your own';
    return [problem(what, `the embedded PostgreSQL cannot be started: ${why}`, todo)];
  }
  const there = await stat(cluster).catch(() => null);
  return [
    fine(
      what,
      `embedded PostgreSQL, ${there === null ? 'made at the first start' : 'not running'}; for one replica`,
    ),
  ];
}

async function nearestExisting(path: string): Promise<string> {
  for (let here = path; ; here = dirname(here)) {
    const found = await stat(here).catch((error: unknown) => {
      // Below a file there can be nothing; the file itself is what stands in the way.
      return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? null : undefined;
    });
    if (found !== null && found !== undefined) return here;
    if (here === dirname(here)) return here;
  }
}
