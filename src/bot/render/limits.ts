/**
 * Slack's limits on messages, in UTF-16 units, and cutting that keeps to them.
 * Source: https://docs.slack.dev/reference/block-kit/blocks/ and
 * https://docs.slack.dev/reference/methods/chat.postMessage
 */
export const LIMITS = {
  blocks: 50,
  /** Readable characters of all blocks together: Slack answers msg_blocks_too_long near 13,000. */
  characters: 12_000,
  header: 150,
  section: 3_000,
  context: 2_000,
  contextElements: 10,
  button: 75,
  value: 2_000,
  confirmTitle: 100,
  confirmText: 300,
  confirmButton: 30,
  /** chat.update refuses more than 4,000; notifications show far less. */
  text: 3_000,
} as const;

export const CUT = '… (cut)';
export const CUT_FILE = '… (cut; the whole is in the file)';

/** Cuts text of no format, between characters. */
export function cutText(text: string, max: number, note: string = CUT): string {
  if (text.length <= max) return text;
  return wholeCharacters(text.slice(0, Math.max(0, max - note.length))) + note;
}

/**
 * Cuts mrkdwn that is escaped already, never inside an entity, a mention or inline code.
 */
export function cutMrkdwn(text: string, max: number, note: string = CUT): string {
  if (text.length <= max) return text;
  let head = wholeCharacters(text.slice(0, Math.max(0, max - note.length - 1)))
    .replace(/&[a-z]{0,3}$/, '')
    .replace(/<[^<>]*$/, '');
  if ((head.split('`').length - 1) % 2 === 1) head = head.endsWith('`') ? head.slice(0, -1) : `${head}\``;
  return head + note;
}

/** Keeps whole lines from the start, and says how many are left out. */
export function headLines(text: string, maxLines: number, max: number): { text: string; cut: boolean } {
  const lines = text.split('\n');
  const kept = cutText(lines.slice(0, maxLines).join('\n'), max, '…');
  return { text: kept, cut: kept.length < text.length };
}

/** Keeps the end of a text, in whole lines where they fit. */
export function tailLines(text: string, maxLines: number, max: number): { text: string; cut: boolean } {
  const lines = text.trimEnd().split('\n');
  const tail = lines.slice(-maxLines).join('\n');
  const kept = tail.length <= max ? tail : `…${wholeCharacters(tail.slice(-(max - 1)))}`;
  return { text: kept, cut: kept.length < text.trimEnd().length };
}

/** A list of lines that fits: what is left out is counted. */
export function fitLines(lines: readonly string[], max: number, what = 'more'): string {
  const kept: string[] = [];
  let used = 0;
  for (const [index, each] of lines.entries()) {
    const one = cutMrkdwn(each, Math.min(600, max));
    const note = `… and ${lines.length - index} ${what}`;
    if (used + one.length + 1 > max - (index === lines.length - 1 ? 0 : note.length + 1)) {
      return [...kept, note].join('\n');
    }
    kept.push(one);
    used += one.length + 1;
  }
  return kept.join('\n');
}

function wholeCharacters(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, '').replace(/^[\udc00-\udfff]/, '');
}
