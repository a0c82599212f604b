import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepDeps } from '../../checks/deps.js';
import { who } from '../../checks/postgres-activity.js';
import type { TargetConfig } from '../../config.js';
import type { Outcome, Probe, StepContext } from '../../runbook/step-kind.js';
import { sight } from '../alembic/after.js';

/**
 * What became of a dump whose runner died: still running, finished under its final name (and then proven now),
 * or not done. A file gets that name only when it is whole.
 * @param prefix what the name of this attempt's file begins with
 */
export async function probeDump(
  deps: StepDeps,
  context: StepContext<TargetConfig>,
  prefix: string,
  finish: (path: string) => Promise<Outcome | { readonly unclear: string }>,
): Promise<Probe> {
  const sighting = deps.processes.look(`${context.childId}/dump`);
  if (sighting.kind === 'running') {
    return { kind: 'running', evidence: `process ${sighting.pid}, started ${sighting.startedAt}` };
  }
  if (sighting.kind === 'unknown') return { kind: 'unknown', evidence: sighting.reason };
  const seen = await sight(deps.revisions, context.target, context);
  if (seen.kind === 'unread') return { kind: 'unknown', evidence: seen.why };
  const [session] = seen.sessions;
  if (session !== undefined) return { kind: 'running', evidence: `${who(session)} is at work` };
  const { directory } = deps.config.backups;
  const names = await readdir(directory).catch(() => []);
  const own = names.filter((n) => n.startsWith(prefix) && rest.test(n.slice(prefix.length)));
  const name = own.find((n) => n.endsWith('.dump'));
  if (name === undefined) {
    // Part of a file proves nothing, nobody writes to it any more, and a new attempt takes a new name.
    const leftovers = own.filter((n) => !n.endsWith('.unproven'));
    await Promise.all(leftovers.map((n) => rm(join(directory, n), { force: true })));
    return { kind: 'not_done', evidence: `no finished file of this attempt in ${directory}` };
  }
  const outcome = await finish(join(directory, name));
  return 'unclear' in outcome ? { kind: 'unknown', evidence: outcome.unclear } : { kind: 'done', outcome };
}

/**
 * What follows the prefix: revision, time, and what the file is. Without it the prefix of attempt 1 of a step
 * `keep` would also fit a file of a step `keep-1`.
 */
const rest = /^(?:[\w.]+|no-revision)(?:-\d{8}T\d{6}Z)?\.dump(?:\.[a-z.]+)?$/;
