import type { JobOutcome } from '../../runbook/jobs/events.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobRunRecord } from '../../runbook/jobs/port.js';
import { code, line, person } from './escape.js';
import { headLines } from './limits.js';
import { type Block, preformatted, section } from './message.js';
import { duration } from './words.js';

/** An outcome in a sentence about the run. */
export function outcomeWords(outcome: JobOutcome | 'running', dryRun = false): string {
  const what = dryRun ? 'dry run ' : '';
  switch (outcome) {
    case 'passed':
      return `${what}passed`;
    case 'failed':
      return `${what}failed`;
    case 'skipped':
      return `${what}was skipped`;
    case 'lost':
      return `${what}was cut short`;
    case 'running':
      return dryRun ? 'dry run is under way' : 'is running';
  }
}

/** One glyph for it: text, so that a long list stays calm. */
export function outcomeMark(outcome: JobOutcome | 'running'): string {
  switch (outcome) {
    case 'passed':
      return '✓';
    case 'failed':
      return '✗';
    case 'skipped':
      return '–';
    case 'lost':
      return '?';
    case 'running':
      return '▸';
  }
}

/** The one emoji of a message about a run. */
export function outcomeEmoji(outcome: JobOutcome): string {
  switch (outcome) {
    case 'passed':
      return '✅';
    case 'failed':
      return '🔴';
    case 'skipped':
      return '⚪';
    case 'lost':
      return '⚠️';
  }
}

/** What began a run. */
export function triggerWords({ trigger, by }: Pick<JobRunRecord, 'trigger' | 'by'>): string {
  switch (trigger) {
    case 'schedule':
      return 'by its schedule';
    case 'made-up':
      return 'made up for a missed moment';
    case 'hand':
      return `asked for by ${person(by)}`;
    case 'runbook':
      return by === null ? 'by the runbook' : `by the runbook, driven by ${person(by)}`;
  }
}

/** How long ago, roughly: nobody counts the seconds of yesterday. */
export function ago(ms: number): string {
  if (ms < 1_000) return 'just now';
  if (ms < 48 * 3_600_000) return `${duration(Math.round(ms / 1_000) * 1_000)} ago`;
  return `${Math.round(ms / 86_400_000)} days ago`;
}

export function jobCodes(jobs: readonly JobName[]): string {
  return jobs.map(code).join(', ');
}

/** Figures on one line, largest names first as the job gave them; zeros stay, they are an answer too. */
export function figures(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .slice(0, 20)
    .map(([name, count]) => `${line(name.replaceAll('_', ' '))} ${count.toLocaleString('en')}`)
    .join(' · ');
}

const LINES_SHOWN = 40;
const CHARACTERS_SHOWN = 6_000;

/** The beginning of an output, and a note when it is longer. */
export function outputBlocks(output: string, where: string): Block[] {
  if (output.trim() === '') return [];
  const { text, cut } = headLines(output, LINES_SHOWN, CHARACTERS_SHOWN);
  return [preformatted(text), ...(cut ? [section(`_The output goes on. ${where}_`)] : [])];
}
