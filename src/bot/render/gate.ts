import { standsBeside } from '../../runbook/beside.js';
import { describeCover } from '../../runbook/decide/words.js';
import type { Finding, Plan, PlannedSql, PlannedStep } from '../../runbook/events.js';
import { shortDigest } from '../../runbook/fingerprint.js';
import type { Gate, OpenedRun } from '../../runbook/state.js';
import { code, line, person, plain } from './escape.js';
import { leftOutBlocks } from './exceptions.js';
import { CUT_FILE, cutText, fitLines } from './limits.js';
import { lossText } from './loss.js';
import { type Block, context, header, message, preformatted, type Rendered, section } from './message.js';
import { hasSql, headlineBlocks, headlineWords, unprintedBlocks } from './not-shown.js';
import { moment, people, plural, utc } from './words.js';

/** What is known about a gate's end beyond its state. */
export interface GateEnd {
  /** What differed, when it was voided. */
  readonly diff?: readonly string[];
  /** Why it was withdrawn. */
  readonly why?: string;
}

/**
 * The message that asks for approval, and that later says what became of the request. Its text names run and request:
 * by that the reader of reactions knows it.
 */
export function renderGate(state: OpenedRun, gate: Gate, end: GateEnd = {}): Rendered {
  const about = describeCover(state.runbook, gate.cover);
  const body =
    gate.plan === null
      ? []
      : [...lossBlocks(state, gate.plan), ...planBlocks(gate.plan, commandsShown(gate))];
  const small = context(
    `Fingerprint ${code(shortDigest(gate.fingerprint?.digest ?? ''))}: an approval covers exactly this; if anything in it changes, the request is void`,
    ...(gate.lost.length === 0
      ? []
      : ['Posted again, since its message was deleted: approvals on the former one do not count']),
    `Run ${state.run}, request ${gate.id}${gate.from.length === 0 ? '' : `, approvers from ${gate.from.map(line).join(', ')}`}`,
  );
  if (gate.status === 'open' || gate.status === 'preparing') {
    const asks = `${person(gate.requestedBy)} asks to ${asked(gate, about)} in run ${state.run}.${because(gate)}`;
    return message(
      `Approval needed: ${line(about)}, run ${state.run}, request ${gate.id}. ${headlineWords(gate.plan)}${missing(gate)} Until ${gate.expiresAt === null ? 'withdrawn' : utc(gate.expiresAt)}. React to this message: ✅ approves, ❌ refuses, 🛑 stops the run.`,
      [
        header(`🟡 Approval needed: ${about}`),
        ...topBlocks(gate.plan),
        section(`${asks}\n${change(gate.plan, standsBeside(state))}`),
        ...body,
      ],
      [...waitsBlocks(gate), section(howToAnswer(gate)), small],
    );
  }
  const { title, emoji, told } = ending(gate, end);
  return message(
    `${emoji} ${title}: ${line(about)}, run ${state.run}, request ${gate.id}. ${told}`,
    [
      header(`${emoji} ${title}: ${about}`),
      ...topBlocks(gate.plan),
      section(
        `${told}\nAsked for by ${person(gate.requestedBy)} on ${moment(gate.requestedAt)}.${because(gate)}`,
      ),
      ...body,
    ],
    [small],
  );
}

/** What the rollback would lose, as people are asked for it. */
function lossBlocks(state: OpenedRun, plan: Plan): Block[] {
  if (plan.loss === undefined) return [];
  const text = lossText(plan.loss, plan.targets, state.runbook.migration.from);
  return [section(`*What the rollback loses, counted for this request*\n${text}`)];
}

/** The step that is left out is not run; whatever changes something behind it is. */
function commandsShown({ cover }: Gate): (step: PlannedStep) => boolean {
  return cover.kind === 'block' ? () => true : (step) => step.changes && step.id !== cover.step;
}

/** What an approver must not miss: what cannot be shown, and what this run left out before. */
function topBlocks(plan: Plan | null): Block[] {
  return [...headlineBlocks(plan), ...leftOutBlocks(plan?.leftOut ?? [])];
}

function asked(gate: Gate, about: string): string {
  return gate.cover.kind === 'skip' ? `*${line(about)}*` : `start *${line(about)}*`;
}

function because({ cover }: Gate): string {
  if (cover.reason === '') return '';
  if (cover.kind === 'block' && (cover.reason === 'retry' || cover.reason === 'resume')) {
    return ` It is a ${cover.reason}: the approval given before was spent.`;
  }
  return ` Reason given: ${line(cover.reason)}`;
}

/** @param beside it is none of the migration's: where that stands would only lead astray */
function change(plan: Plan | null, beside: boolean): string {
  if (plan === null) return '';
  const moves = plan.sql.map(
    (sql) => `*${line(sql.target)}* goes from ${code(sql.from)} to ${code(sql.to)}${via(sql)}.`,
  );
  const touched = new Set(plan.steps.filter((s) => s.changes).map((s) => s.target));
  const changing = plan.steps.filter((s) => s.changes).length;
  const counted =
    changing === 0
      ? 'It changes nothing on any target.'
      : `${plural(changing, 'step')} of ${plan.steps.length} can change ${[...touched].map((t) => `*${line(t)}*`).join(' and ')}.`;
  const now = plan.targets.map((t) =>
    beside
      ? `*${line(t.target)}* is database ${line(t.database)}. The migration is not touched.`
      : `*${line(t.target)}*, database ${line(t.database)}, is at ${t.revision === null ? 'no revision' : code(t.revision)} now.`,
  );
  return fitLines([counted, ...moves, ...now], 2_000, 'lines');
}

function via({ revisions }: PlannedSql): string {
  return revisions.length > 1 ? `, by ${revisions.length} revisions: ${revisions.map(line).join(', ')}` : '';
}

/** Why nothing happens although people have reacted. */
function waitsBlocks({ waits }: Gate): Block[] {
  if (waits === null) return [];
  const whose = waits.users.length === 0 ? '' : ` The reaction of ${people(waits.users)} is not decided yet.`;
  return [
    section(
      `⚠️ *Waiting for an answer*: ${line(waits.why)}.${whose} Nothing starts before, no approval is lost, and it is queried again automatically: there is no need to react again.`,
    ),
  ];
}

function missing(gate: Gate): string {
  const count = Math.max(0, gate.needs - gate.approvals.length);
  if (count === 0)
    return `Approved by ${people(gate.approvals.map((a) => a.by))}; it starts after a last look.`;
  const given = gate.approvals.length === 0 ? '' : ` Given by ${people(gate.approvals.map((a) => a.by))}.`;
  return `${plural(count, 'approval')} of ${gate.needs} missing.${given}`;
}

function howToAnswer(gate: Gate): string {
  const may = gate.eligible.filter((id) => id !== gate.requestedBy);
  const who =
    may.length === 0
      ? 'Nobody who may approve was found; an operator can check the approver lists.'
      : `May approve: ${people(may)} (not ${person(gate.requestedBy)}, who asked).`;
  const until = gate.expiresAt === null ? '' : ` Until ${moment(gate.expiresAt)}.`;
  return [
    `*${missing(gate)}*${until}`,
    who,
    'React to this message: ✅ approves, ❌ refuses, 🛑 stops the run. A ✅ taken back before the start counts no more.',
  ].join('\n');
}

function ending(gate: Gate, end: GateEnd): { title: string; emoji: string; told: string } {
  const by = person(gate.closedBy);
  const approvers = people(gate.approvals.map((a) => a.by));
  switch (gate.status) {
    case 'spent':
      if (gate.doubt !== null) {
        return {
          title: 'Not approved',
          emoji: '⛔',
          told: `The journal says that it was started, and this is not believed: ${line(gate.doubt)}. Nothing of this run is started any more.`,
        };
      }
      return {
        title: 'Approved',
        emoji: '✅',
        told: `Approved by ${approvers}. ${gate.cover.kind === 'skip' ? 'The step is left out.' : 'It has been started.'}`,
      };
    case 'refused':
      return {
        title: 'Refused',
        emoji: '❌',
        told: `${by} refused. Nothing was started; an operator may ask again.`,
      };
    case 'expired':
      return {
        title: 'Expired',
        emoji: '⌛',
        told: 'Not enough approvals came in time. Nothing was started; an operator may ask again.',
      };
    case 'voided':
      return { title: 'Void', emoji: '⚠️', told: voided(end.diff ?? []) };
    case 'cancelled':
      return {
        title: 'Withdrawn',
        emoji: '⚪',
        told: `Withdrawn by ${by}${end.why === undefined ? '' : `: ${line(end.why)}`}. Nothing was started.`,
      };
    case 'open':
    case 'preparing':
    case 'not-prepared':
      return { title: 'Not asked', emoji: '⚪', told: 'The request could not be prepared.' };
  }
}

function voided(diff: readonly string[]): string {
  const changed = fitLines(
    diff.map((each) => `• ${line(each)}`),
    1_800,
    'differences',
  );
  return `What was to be approved has changed, so the approvals do not count. Nothing was started.${changed === '' ? '' : `\n${changed}`}\nLook at what changed; an operator may then ask again.`;
}

const ranks: Readonly<Record<Finding['rank'], string>> = {
  'data-loss': 'may lose data',
  blocking: 'may block other sessions',
  advice: 'advice',
};
const rankOrder: readonly Finding['rank'][] = ['data-loss', 'blocking', 'advice'];

/** The lists of a plan's message. */
export function listsOf(plan: Plan) {
  const warnings = plan.warnings.map((warning) => `• ${line(warning)}`);
  const findings = together(plan).map(
    ({ finding: f, target, at }) =>
      `• *${ranks[f.rank]}*: ${line(f.message)} (${line(f.rule)}, ${line(target)}${at.length === 0 ? '' : `, line ${at.join(', ')}`})`,
  );
  const steps = plan.steps.map(
    (step, index) =>
      `${index + 1}. *${line(step.title)}* · ${step.changes ? `changes *${line(step.target)}*` : `reads ${line(step.target)}`}\n      ${plain(step.words).replace(/\s+/g, ' ')}`,
  );
  return {
    warnings: { lines: warnings, room: 2_400 },
    findings: { lines: findings, room: 2_400 },
    steps: { lines: steps, room: 2_600 },
  };
}

/**
 * What a plan shows to whoever approves or asks: warnings, findings, steps, commands. What is cut is in a file.
 * @param withCommands of which steps the commands are shown
 */
export function planBlocks(plan: Plan, withCommands: (step: PlannedStep) => boolean): Block[] {
  const blocks: Block[] = [...unprintedBlocks(plan)];
  const { warnings, findings, steps } = listsOf(plan);
  if (warnings.lines.length > 0) {
    const text = fitLines(warnings.lines, warnings.room, 'warnings, all in the file');
    blocks.push(section(`*Know this first*\n${text}`));
  }
  if (findings.lines.length > 0) {
    const text = fitLines(findings.lines, findings.room, 'findings, all in the file');
    blocks.push(section(`*What the linter says about the SQL*\n${text}`));
  } else if (plan.sql.some(hasSql)) {
    blocks.push(section('The linter found nothing to say about the SQL.'));
  }
  if (steps.lines.length > 0) {
    blocks.push(section(`*Steps*\n${fitLines(steps.lines, steps.room, 'steps, all in the file')}`));
  }
  const commands = commandsText(plan, withCommands);
  if (commands !== '') {
    blocks.push(section('*Exact commands*'), preformatted(cutText(commands, COMMANDS_SHOWN, CUT_FILE)));
  }
  return blocks;
}

/** One entry for what the linter says in several places, most dangerous first. */
function together(plan: Plan): { finding: Finding; target: string; at: number[] }[] {
  const found = new Map<string, { finding: Finding; target: string; at: number[] }>();
  const all = plan.sql.flatMap(({ findings, target, unprinted = [] }) => [
    { findings, target },
    ...unprinted.map((each) => ({ findings: each.findings, target: `executed on ${each.target}` })),
  ]);
  for (const { findings, target } of all) {
    for (const finding of findings) {
      const key = `${target} ${finding.rank} ${finding.rule} ${finding.message}`;
      const entry = found.get(key) ?? { finding, target, at: [] };
      if (finding.line !== null) entry.at.push(finding.line);
      found.set(key, entry);
    }
  }
  return [...found.values()].sort(
    (a, b) => rankOrder.indexOf(a.finding.rank) - rankOrder.indexOf(b.finding.rank),
  );
}

/** Characters of the commands that a message shows. */
export const COMMANDS_SHOWN = 3_000;

/** The exact commands of the shown steps. */
export function commandsText(plan: Plan, shown: (step: PlannedStep) => boolean = () => true): string {
  return plan.steps
    .filter((step) => step.commands.length > 0 && shown(step))
    .map((step) => `# ${step.id} on ${step.target}\n${step.commands.join('\n')}`)
    .join('\n');
}
