import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { placeName } from '../../clients/postgres/revision.js';
import type { CodeState } from './code.js';
import { type MigrationPlan, type ObservedCode, revisionsOf } from './migration-plan.js';
import { sayDatabase } from './plans.js';

/** Beyond this many, the files of a project go into one part together. */
const namedFiles = 300;

/** A plan as the named parts of a fingerprint, each file a part of its own, so that a difference can be named. */
export function coveredParts(
  plan: MigrationPlan,
  code: CodeState,
  directory: string,
): Record<string, string> {
  const { observed, sql } = plan;
  return {
    sql: sql.kind === 'printed' ? sql.sha256 : 'cannot be printed',
    revisions: revisionsOf(plan).join(', '),
    'version table': placeName(plan.place),
    'database that Alembic works on': observed === null ? 'not verified' : sayDatabase(plan.database),
    alembic: observed?.versions ?? 'not observed',
    ...(observed === null ? {} : fileParts(observed, directory)),
    'programs that Alembic starts': observed === null ? 'not observed' : JSON.stringify(observed.programs),
    'code digest': code.digest,
    'code commit': code.commit ?? 'not in a git repository',
    'uncommitted changes': code.dirty.length === 0 ? 'none' : code.dirty.join(', '),
  };
}

/** Own files one by one, the files of a package together under its name. */
function fileParts(observed: ObservedCode, directory: string): Record<string, string> {
  const parts: Record<string, string> = {};
  const packages = new Map<string, string[]>();
  const rest: string[] = [];
  for (const [path, file] of [...observed.files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const line = `${path} ${file.sha256}`;
    if (file.package !== null) packages.set(file.package, [...(packages.get(file.package) ?? []), line]);
    else if (Object.keys(parts).length < namedFiles)
      parts[`file ${shownPath(path, directory)}`] = file.sha256;
    else rest.push(line);
  }
  for (const [name, lines] of packages) parts[`package ${name}`] = digest(lines);
  if (rest.length > 0) parts[`${rest.length} further files`] = digest(rest);
  return parts;
}

/** From the project's folder where it lies below it. */
export function shownPath(path: string, directory: string): string {
  const short = relative(directory, path);
  return short.startsWith('..') ? path : short;
}

function digest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
