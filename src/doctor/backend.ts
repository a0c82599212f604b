import { stat } from 'node:fs/promises';
import { alembicFor } from '../checks/alembic-client.js';
import { commandEnvironment } from '../checks/environment.js';
import { plural } from '../checks/outcome.js';
import { databaseProblem } from '../checks/plan/database.js';
import { sayRevisions } from '../checks/revision.js';
import { withSession } from '../checks/session.js';
import { migrationContext } from '../clients/alembic/observed.js';
import { readGit } from '../clients/git.js';
import { readExpectedDatabase } from '../clients/postgres/expected.js';
import { placeName } from '../clients/postgres/revision.js';
import type { Processes } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

/** The backend's folder: whether its Alembic works on the target, and which code it is. */
export function backendCheck(target: TargetConfig, processes: Processes): Check {
  const what = `backend of ${target.name}`;
  const { directory } = target;
  return {
    what,
    async run() {
      const folder = await stat(directory).catch(() => null);
      if (folder?.isDirectory() !== true) {
        const facts = `${directory} ${folder === null ? 'does not exist' : 'is not a directory'}`;
        return [
          problem(what, facts, `check the backend out there, or correct targets.${target.name}.directory`),
        ];
      }
      return [await alembicFinding(what, target, processes), await codeFinding(what, target, processes)];
    },
  };
}

/** By what Alembic itself does: where its configuration lies, and what env.py makes of it, only it can tell. */
async function alembicFinding(what: string, target: TargetConfig, processes: Processes): Promise<Finding> {
  const { name, directory } = target;
  const session = { applicationName: 'm10bot-doctor' };
  const expected = await withSession(target, session, readExpectedDatabase);
  const id = `doctor/${name}-${process.pid}-${Date.now()}`;
  const alembic = alembicFor({ processes }, target, 'm10bot-doctor', id);
  const read = await alembic.read(expected.kind === 'ok' ? expected.value : null);
  const { observed } = read;
  const elsewhere = observed === null || expected.kind !== 'ok' ? null : databaseProblem(name, observed);
  if (elsewhere !== null) return problem(what, elsewhere, `let env.py go by DATABASE_URL for ${name}`);
  switch (read.kind) {
    case 'read':
      break;
    case 'read_only':
      return attention(
        what,
        `env.py changes the database at each start, which was refused here (${firstLine(read.evidence)})`,
        'make what it needs once, outside env.py: it runs at each look as well',
      );
    case 'not_started':
      // What is wrong with the program is told with the programs.
      return attention(what, `Alembic could not be started in ${directory}`);
    case 'unreachable':
      // The database has a line of its own.
      return attention(what, `Alembic in ${directory} starts, but reaches no database`);
    default:
      return problem(
        what,
        `alembic current fails in ${directory}: ${firstLine(read.evidence)}`,
        `try \`alembic current\` there with the environment of targets.${name}.env; ALEMBIC_CONFIG names a configuration that lies elsewhere`,
      );
  }
  if (observed === null) {
    return attention(
      what,
      `Alembic in ${directory} runs, but cannot be observed: requests will say what is not verified`,
      'let `alembic` start its Python without -I or -E, on this host',
    );
  }
  const { alembic: version, sqlalchemy } = observed.versions;
  const context = migrationContext(observed);
  const table = context?.place ?? context;
  const where = table === undefined ? '' : `, version table ${placeName(table)}`;
  const heads = observed.scripts?.heads ?? [];
  const tip = heads.length > 1 ? `, ${heads.length} heads: ${sayRevisions(heads)}` : '';
  return fine(what, `Alembic ${version} with SQLAlchemy ${sqlalchemy} in ${directory}${where}${tip}`);
}

async function codeFinding(what: string, target: TargetConfig, processes: Processes): Promise<Finding> {
  const { directory } = target;
  const git = await readGit({
    processes,
    id: `doctor/${target.name}`,
    directory,
    env: commandEnvironment(target, 'm10bot-doctor'),
  });
  switch (git.kind) {
    case 'failed':
      // Every request names the commit, so none could be opened.
      return problem(
        what,
        `${directory}; its commit cannot be read: ${git.evidence}`,
        `try \`git status\` in ${directory} as the bot's user, and mend what it complains about`,
      );
    case 'no_repository':
      return attention(what, `${directory} is in no git repository, so messages cannot name its commit`);
    case 'repository': {
      const at = `${directory} at commit ${git.commit?.slice(0, 12) ?? '(none yet)'}`;
      if (git.dirty.length === 0) return fine(what, at);
      const changes = plural(git.dirty.length, 'uncommitted change');
      return attention(what, `${at} with ${changes}, such as ${git.dirty[0]?.path}`, 'commit or undo them');
    }
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
