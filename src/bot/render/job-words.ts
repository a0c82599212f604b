import type { JobOutcome } from '../../runbook/jobs/events.js';
import type { JobName } from '../../runbook/jobs/names.js';
import type { JobRunRecord } from '../../runbook/jobs/port.js';
import { code, line, person } from './escape.js';
import { headLines } from './limits.js';
import { type Block, preformatted, section } from './message.js';
import { duration } from './words.js';

type Ended = Pick<JobRunRecord, 'outcome' | 'dryRun' | 'durationMs'>;

/** How a run ended and how long it took, in a sentence about it. */
export function outcomeWords({ outcome, dryRun, durationMs }: Ended): string {
  const what = dryRun ? 'dry run ' : '';
  const took = durationMs === null ? '' : duration(durationMs);
  switch (outcome) {
    case 'passed':
      return `${what}passed in ${took}`;
    case 'failed':
      return `${what}failed after ${took}`;
    case 'skipped':
      return `${what}was skipped`;
    case 'lost':
      return `${what}was cut short after ${took}`;
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

/** A time roughly: nobody counts the seconds of yesterday. @param ms milliseconds */
export function rough(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** How long ago. @param ms milliseconds */
export function ago(ms: number): string {
  return ms < 1_000 ? 'just now' : `${rough(ms)} ago`;
}

export function jobCodes(jobs: readonly JobName[]): string {
  return jobs.map(code).join(', ');
}

/** Figures on one line; zeros stay, for they are an answer too. */
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
