import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The one database that Alembic may work on, as an own session has read it. */
export interface ExpectedDatabase {
  readonly database: string;
  readonly oid: string;
  /** The cluster's system identifier; null when this role may not read it. */
  readonly system: string | null;
  /** When the server was started, seconds of the epoch as text: tells clusters apart where `system` is hidden. */
  readonly started: string;
}

/** What the observer inside Alembic is asked to do; the fields are explained in python/m10_observer/__init__.py. */
export interface ObserveRequest {
  readonly mode: 'read' | 'print' | 'migrate';
  readonly target: ExpectedDatabase | null;
  readonly application_name: string;
  readonly lock_timeout_ms: number | null;
  readonly statement_timeout_ms: number | null;
  readonly from: readonly string[] | null;
  /** Direction and revision of each step that may run, in order. */
  readonly steps: readonly (readonly [string, string])[] | null;
  /** SHA-256 of each file that was approved, by absolute path. */
  readonly files: Readonly<Record<string, string>> | null;
  /** Tables whose rows must still be the ones that were archived. */
  readonly unchanged?: readonly MarkedTable[];
}

/** A table with a mark of its rows: two marks are equal when no row was written, changed or deleted in between. */
export interface MarkedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly mark: string;
}

export const REPORT_FILE = 'report.jsonl';

/**
 * The folder `python` at the root of the package, compiled or not.
 * @throws Error when the installation is incomplete
 */
function observerFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const python = join(folder, 'python');
    if (existsSync(join(python, 'sitecustomize.py'))) return python;
    if (folder === dirname(folder)) throw new Error('python/ is missing from the installation of m10bot');
  }
}

/**
 * Lets a Python that the program starts load the observer first. A program that is no Python, or resets its
 * environment, simply goes unobserved, which shows by the missing report.
 * @param folder where the request is (as the child's standard input) and the report will be
 */
export function observedEnvironment(
  env: Readonly<Record<string, string>>,
  folder: string,
): Record<string, string> {
  const own = env.PYTHONPATH ?? '';
  return {
    ...env,
    M10_OBSERVE: folder,
    PYTHONPATH: own === '' ? observerFolder() : `${observerFolder()}:${own}`,
    ...(own === '' ? {} : { M10_OBSERVE_PYTHONPATH: own }),
  };
}
