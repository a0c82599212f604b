import type { Plan } from '../../runbook/planned.js';
import { statementsText } from './not-shown.js';

/** A part of a plan's message: its lines as people read them, and how many characters of them it shows. */
export interface PlanList {
  readonly lines: readonly string[];
  readonly room: number;
}

/** Longer than this a single line is cut in a list. */
const LINE_SHOWN = 600;
/** What the lists and the commands may take together before the message itself has to leave blocks out. */
const MESSAGE_ROOM = 8_500;

/** Whether a message with these lists, commands included, leaves out anything of them. */
export function leavesOut(lists: readonly PlanList[], commands: string, shown: number): boolean {
  const lengths = lists.map(({ lines }) => lines.reduce((sum, each) => sum + each.length + 1, 0));
  const whole = lengths.reduce((sum, length) => sum + length, Math.min(commands.length, shown));
  return (
    commands.length > shown ||
    whole > MESSAGE_ROOM ||
    lists.some(
      ({ lines, room }, i) => (lengths[i] ?? 0) > room || lines.some((each) => each.length > LINE_SHOWN),
    )
  );
}

/** A plan in full, as text: everything that its message may have had to cut. */
export function planText(plan: Plan): string {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [`## ${title}`, ...lines, ''];
  const steps = plan.steps.flatMap((step, i) => [
    `# ${i + 1}. ${step.id}: ${step.title} (${step.changes ? 'changes' : 'reads'} ${step.target}, ${step.uses})`,
    ...step.words.split('\n').map((each) => `# ${each}`),
    ...step.commands,
    '',
  ]);
  return [
    ...part('Not shown or not verified', plan.headline ?? []),
    ...part(
      'Left out in this run',
      (plan.leftOut ?? []).map((s) => `${s.step} on ${s.target}: ${s.reason}`),
    ),
    ...part('Warnings', plan.warnings),
    ...part(
      'Targets',
      plan.targets.map((t) => `${t.target}: database ${t.database}, at ${t.revision ?? 'no revision'}`),
    ),
    ...part(
      'A rollback would lose',
      (plan.loss ?? []).map((l) => `${l.label} on ${l.target}: ${l.count ?? `not counted, ${l.note}`}`),
    ),
    ...plan.sql.flatMap(({ step, target, from, to, revisions, sha256, findings, unprinted = [] }) => [
      ...part(`${step}: ${target} from ${from} to ${to}`, [
        `revisions: ${revisions.join(', ')}`,
        `SQL sha256 ${sha256}`,
        ...findings.map((f) => `${f.rank}: ${f.message} (${f.rule}, line ${f.line ?? '?'})`),
      ]),
      ...unprinted.flatMap((each) =>
        part(`Executed on ${each.target} and not in the SQL`, [
          ...each.findings.map((f) => `${f.rank}: ${f.message} (${f.rule})`),
          statementsText(each.statements),
        ]),
      ),
    ]),
    '## Steps and commands',
    ...steps,
  ].join('\n');
}
