import type { AuditEntry } from '../../commands/reply.js';
import type { OpenedRun } from '../../runbook/state.js';
import { standing } from './card.js';
import { code, line, mentioning, person, prose } from './escape.js';
import { exceptionBlocks } from './exceptions.js';
import { cutMrkdwn, LIMITS } from './limits.js';
import { context, header, message, type Rendered, section } from './message.js';
import { type ChainHead, chainWords } from './notes.js';
import { openedBy, runTitle } from './now.js';
import { chunks } from './paragraphs.js';
import type { AttachedFile } from './plan-files.js';
import { moment, plural } from './words.js';

/** Proves that the record is whole. */
export interface AuditProof {
  readonly head: ChainHead;
  readonly chain: string;
}

/**
 * The audit trail of a run, newest last. Steps that passed one after the other share a line, so that what people did
 * stands out; every entry by itself is in the file.
 */
export function renderAudit(
  run: OpenedRun,
  entries: readonly AuditEntry[],
  proof?: AuditProof,
  filed = false,
): Rendered {
  const lines = foldedLines(entries, peopleOf(run, entries));
  const { first, last, left } = bothEnds(lines);
  const title = `Audit of run ${run.run}`;
  const chain = proof === undefined ? [] : [context(prose(proof.chain), chainWords(proof.head))];
  const file = filed ? ' Every entry by itself is in the file that follows.' : '';
  const told = `${plural(entries.length, 'entry', 'entries')}.${file}`;
  return message(
    `${title}: ${told} ${openedBy(run)}. ${proof === undefined ? '' : prose(proof.chain)}`,
    [
      header(title),
      section(`${line(runTitle(run))}: ${standing(run).word.toLowerCase()}. ${openedBy(run)}. ${told}`),
      ...exceptionBlocks(run),
      ...chunks([...first, ...between(left), ...last]).map((text) => section(text)),
    ],
    chain,
  );
}

/** Who has a part in a run: the trail mentions them, and nobody whom some text in it names. */
function peopleOf(run: OpenedRun, entries: readonly AuditEntry[]): ReadonlySet<string> {
  const ofGates = run.gates.flatMap((gate) => [gate.requestedBy, ...gate.approvals.map((a) => a.by)]);
  const acted = entries.flatMap(({ by }) => (by === null ? [] : [by]));
  return new Set([run.requester, ...ofGates, ...acted]);
}

/** Every entry, with its whole words: for the file beside a trail whose message folds or cuts. */
export function auditFile(
  run: OpenedRun,
  entries: readonly AuditEntry[],
  proof: AuditProof,
): AttachedFile | null {
  if (
    entries.length === foldedLines(entries, peopleOf(run, entries)).length &&
    bothEnds(foldedLines(entries, peopleOf(run, entries))).left === 0
  ) {
    if (entries.every(({ words }) => words.length <= WORDS_SHOWN)) return null;
  }
  const lines = entries.map((e) => `${new Date(e.at).toISOString()} ${e.by ?? 'm10bot'} ${e.words}`);
  return {
    filename: `audit-run-${run.run}-${proof.head.position}.txt`,
    title: `Audit of run ${run.run}, every entry`,
    content: [
      ...lines,
      '',
      proof.chain,
      `Journal position ${proof.head.position}, chain ${proof.head.hash}`,
      '',
    ].join('\n'),
  };
}

const between = (left: number) =>
  left === 0 ? [] : [`_${plural(left, 'line')} in between stand in the file only._`];

const WORDS_SHOWN = 400;
const NAMES_SHOWN = 900;

function foldedLines(entries: readonly AuditEntry[], known: ReadonlySet<string>): string[] {
  const ended = new Set(entries.flatMap(({ step }) => (step?.is === 'passed' ? [step.key] : [])));
  // The start of a step that passed is said by its end.
  const told = entries.filter(({ step }) => !(step?.is === 'started' && ended.has(step.key)));
  const groups: AuditEntry[][] = [];
  for (const entry of told) {
    const group = groups.at(-1);
    const goesOn = entry.step?.is === 'passed' && group?.at(-1)?.step?.is === 'passed';
    if (goesOn) group?.push(entry);
    else groups.push([entry]);
  }
  return groups.map((group) => lineOf(group, known));
}

function lineOf(group: readonly AuditEntry[], known: ReadonlySet<string>): string {
  const [first, ...more] = group;
  if (first === undefined) return '';
  const last = more.at(-1);
  if (last === undefined) {
    return `${moment(first.at)} · ${person(first.by)} ${mentioning(cutMrkdwn(first.words, WORDS_SHOWN), known)}`;
  }
  const names = group.map(({ step }) => code(step?.id ?? '')).join(', ');
  return `${moment(first.at)} to ${moment(last.at)} · ${person(first.by)} ${group.length} steps passed: ${cutMrkdwn(names, NAMES_SHOWN)}`;
}

/** Lines from both ends that fit into one message: how it began and how it ended matter more than the middle. */
function bothEnds(lines: readonly string[]): { first: string[]; last: string[]; left: number } {
  let room = LIMITS.characters - 2_500;
  const first: string[] = [];
  const last: string[] = [];
  for (let taken = 0; taken < lines.length; taken += 1) {
    const fromEnd = taken % 2 === 1;
    const each = (fromEnd ? lines[lines.length - 1 - last.length] : lines[first.length]) ?? '';
    room -= each.length + 1;
    if (room < 0) break;
    if (fromEnd) last.unshift(each);
    else first.push(each);
  }
  return { first, last, left: lines.length - first.length - last.length };
}
