import { z } from 'zod';
import { lastWords, readingId } from '../clients/process/ids.js';
import type { Processes } from '../clients/process.js';
import { attention, type Finding, problem } from './finding.js';

const modules = ['alembic', 'psycopg2', 'pytest'] as const;

const versionsScript = `
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = str(getattr(importlib.import_module(name), '__version__', 'present'))
    except Exception as error:
        found[name] = None
        print(name + ': ' + str(error), file=sys.stderr)
print(json.dumps(found))
`;

export type Modules =
  | { readonly kind: 'read'; readonly versions: Readonly<Record<string, string | null>> }
  | { readonly kind: 'failed'; readonly evidence: string };

/** Imports the modules as the target's own commands would, since being installed does not prove that they load. */
export async function readModules(
  place: {
    readonly processes: Processes;
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  },
  id: string,
  timeoutMs: number,
): Promise<Modules> {
  const { processes, cwd, env } = place;
  const argv: [string, ...string[]] = ['python3', '-c', versionsScript, ...modules];
  const result = await processes.run({ id: readingId(id, 'modules'), argv, cwd, env, timeoutMs });
  if (result.kind !== 'exited' || result.exitCode !== 0)
    return { kind: 'failed', evidence: lastWords(result) };
  const parsed = z
    .record(z.string(), z.string().nullable())
    .safeParse(JSON.parse(result.stdout.trim().split('\n').at(-1) ?? ''));
  return parsed.success
    ? { kind: 'read', versions: parsed.data }
    : { kind: 'failed', evidence: 'an answer that cannot be read' };
}

/** What there is, with versions as the modules state them. */
export function versionsOf(read: Modules): string[] {
  if (read.kind === 'failed') return [];
  return Object.entries(read.versions).flatMap(([name, version]) =>
    version === null ? [] : [`${name} ${version.split(' ')[0]} (python3)`],
  );
}

/** @param usesPytest whether a step of the runbook runs it on this target */
export function moduleFindings(what: string, read: Modules, usesPytest: boolean): Finding[] {
  if (read.kind === 'failed') {
    return [
      problem(what, `python3 does not run: ${read.evidence}`, 'mend the python3 that env.PATH leads to'),
    ];
  }
  return modules.flatMap((name) => {
    if ((read.versions[name] ?? null) !== null) return [];
    const facts = `python3 cannot import ${name}`;
    const todo = `install it there: python3 -m pip install ${name}`;
    return name === 'pytest' && !usesPytest
      ? [attention(what, `${facts}; no step of the runbook needs it here`)]
      : [problem(what, facts, todo)];
  });
}
