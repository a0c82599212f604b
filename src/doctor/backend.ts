import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { commandEnvironment } from '../checks/environment.js';
import { plural } from '../checks/outcome.js';
import { readGit } from '../clients/git.js';
import type { Processes } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

/** The backend's folder: an Alembic project, and which code it is. */
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
      const findings: Finding[] = [];
      const ini = await stat(join(directory, 'alembic.ini')).catch(() => null);
      if (ini?.isFile() !== true) {
        const todo = `let targets.${target.name}.directory name the folder with alembic.ini`;
        findings.push(problem(what, `no alembic.ini in ${directory}`, todo));
      }
      return [...findings, await codeFinding(what, target, processes)];
    },
  };
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
      return attention(what, `${directory}; its commit cannot be read: ${git.evidence}`);
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
