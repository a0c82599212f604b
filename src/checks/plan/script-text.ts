import { createHash } from 'node:crypto';
import { shownPath } from './covered.js';
import { type MigrationPlan, revisionsOf } from './migration-plan.js';

/** The text that people read before they approve: the SQL, or what an approval covers in its place. */
export function scriptText(plan: MigrationPlan, directory: string): { sql: string; sha256: string } {
  if (plan.sql.kind === 'printed') return { sql: plan.sql.text, sha256: plan.sql.sha256 };
  const own = [...(plan.observed?.files ?? [])].filter(([, file]) => file.package === null);
  const scripts = new Map((plan.observed?.scripts ?? []).map((s) => [s.revision, s.path]));
  const sql = [
    `-- The SQL cannot be printed before it runs: ${plan.sql.why.replace(/\s+/g, ' ')}`,
    '-- Revisions, in order:',
    ...revisionsOf(plan).map((r) => `--   ${r}  ${shownPath(scripts.get(r) ?? 'file not found', directory)}`),
    '-- Files that an approval covers by their content (SHA-256):',
    ...own.map(([path, file]) => `--   ${file.sha256}  ${shownPath(path, directory)}`).sort(),
    '',
  ].join('\n');
  return { sql, sha256: createHash('sha256').update(sql).digest('hex') };
}
