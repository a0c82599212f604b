import type { Plan } from '../../runbook/planned.js';
import { COMMANDS_SHOWN, commandsText, listsOf } from './gate.js';
import { statementsText, UNPRINTED_SHOWN } from './not-shown.js';
import { leavesOut, planText } from './plan-text.js';

/** A file that goes with a message. */
export interface AttachedFile {
  /** Unique to what it shows, so that it can be recognised in the thread. */
  readonly filename: string;
  readonly title: string;
  readonly content: string;
}

/** The SQL of a plan, and the whole of the plan where its message leaves something out, as files. */
export function planFiles(plan: Plan, prefix: string): AttachedFile[] {
  const files = plan.sql
    .filter((sql) => sql.sql.trim() !== '')
    .map((sql, index) => ({
      filename: `${prefix}-${fileWord(sql.target)}-${index + 1}.sql`,
      title: `SQL that ${sql.step} sends to ${sql.target}: ${sql.from} to ${sql.to}`,
      content: `-- ${sql.target}: ${sql.from} -> ${sql.to}\n-- sha256 ${sql.sha256}\n${sql.sql}`,
    }));
  const executed = plan.sql.flatMap(({ step, unprinted = [] }) =>
    unprinted.map((each, index) => ({
      filename: `${prefix}-executed-${fileWord(each.target)}-${fileWord(step)}-${index + 1}.sql`,
      title: `Executed on ${each.target} beyond the SQL of ${step}`,
      content: statementsText(each.statements),
    })),
  );
  files.push(...executed);
  if (!isCut(plan)) return files;
  return [
    ...files,
    {
      filename: `${prefix}-whole.txt`,
      title: 'The whole of it: every warning, step and command',
      content: planText(plan),
    },
  ];
}

/** Whether the message of a plan leaves anything out, by its lists' limits or by its own. */
function isCut(plan: Plan): boolean {
  const { warnings, findings, steps } = listsOf(plan);
  const headline = { lines: plan.headline ?? [], room: 2_200 };
  const leftOut = {
    lines: (plan.leftOut ?? []).map((s) => `${s.title} ${s.reason}${' '.repeat(120)}`),
    room: 2_200,
  };
  const targets = { lines: plan.targets.map((t) => `${t.target} ${t.database}`), room: 1_200 };
  const loss = { lines: (plan.loss ?? []).map((l) => `${l.label} ${l.target} ${l.note}`), room: 1_200 };
  // What does not show of them is in files of their own; here they only take room.
  const unprinted = {
    lines: plan.sql.flatMap((sql) =>
      (sql.unprinted ?? []).map((u) => statementsText(u.statements).slice(0, UNPRINTED_SHOWN)),
    ),
    room: Number.POSITIVE_INFINITY,
  };
  const lists = [warnings, findings, steps, headline, leftOut, targets, loss];
  return leavesOut([...lists, unprinted], commandsText(plan), COMMANDS_SHOWN);
}

/** The part of a file's name that comes from a name. */
export function fileWord(text: string): string {
  return text.replace(/[^a-zA-Z0-9._-]+/g, '-').slice(0, 80);
}
