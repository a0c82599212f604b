import { plural } from '../checks/outcome.js';
import { shortLine } from '../excerpt.js';
import type { Finding } from './finding.js';

const signs = { fine: '✓', attention: '!', problem: '✗' } as const;
/** More of a program's last words would hide the other lines. */
const longest = 600;

/** One line for a finding: sign, what, facts, and what can be done. */
export function lineOf({ mark, what, facts, todo }: Finding, redact: (text: string) => string): string {
  const tail = todo === undefined ? '' : ` → ${todo}`;
  const room = longest - tail.length - 2;
  return `${signs[mark]} ${shortLine(`${what}: ${facts}`, room, redact)}${tail}`;
}

/** The last line: how many of each, and what that means. */
export function summaryOf(findings: readonly Finding[]): string {
  const count = (mark: Finding['mark']) => findings.filter((finding) => finding.mark === mark).length;
  const numbers = `${count('fine')} fine, ${plural(count('attention'), 'warning')}, ${plural(count('problem'), 'problem')}`;
  const meaning =
    count('problem') > 0
      ? 'Resolve the lines marked ✗ and run the doctor again.'
      : count('attention') > 0
        ? 'The bot can start; read the lines marked ! first.'
        : 'The bot can start.';
  return `${numbers}. ${meaning}`;
}
