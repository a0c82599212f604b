import type { TargetState } from '../../runbook/events.js';
import type { StepStatus } from '../../runbook/state.js';
import { line, person } from './escape.js';

/** A duration for people. @param ms milliseconds */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * A moment in each reader's own time zone, with UTC for clients that cannot.
 * Source: https://docs.slack.dev/messaging/formatting-message-text/#date-formatting
 * @param ms milliseconds since 1970
 */
export function moment(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `<!date^${seconds}^{date_short_pretty} {time}|${utc(ms)}>`;
}

/** The same where Slack formats nothing, as in a notification. */
export function utc(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'an unknown time';
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** People as mentions, with the rest counted. */
export function people(ids: readonly string[], most = 10): string {
  if (ids.length === 0) return 'nobody';
  const shown = ids.slice(0, most).map(person);
  const more = ids.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** One glyph for a step's state: text, not emoji, so that a long list stays calm. */
export function mark(status: StepStatus): string {
  switch (status) {
    case 'pending':
      return '·';
    case 'running':
      return '▸';
    case 'passed':
      return '✓';
    case 'failed':
      return '✗';
    case 'unknown':
      return '?';
    case 'skipped':
      return '–';
  }
}

/** A target's state on one line. */
export function targetLine(state: TargetState): string {
  const reach = state.reachable ? '' : ' (could not be reached)';
  return `*${line(state.target)}*: ${line(state.summary)}${reach}`;
}

/** The same within a sentence. */
export function targetWords(state: TargetState): string {
  return `${line(state.target)}${state.reachable ? '' : ':'} ${line(state.summary)}`;
}

/** A text that comes as a sentence without its stop, or with it. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  // A program's name keeps its own letters: python3 is not Python3.
  const first = /^[a-z]+[\s,]/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?:)`]$/.test(first) ? first : `${first}.`;
}
