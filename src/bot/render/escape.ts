import type { ReasonCode } from '../../runbook/refusal.js';

/**
 * Makes dynamic text harmless for Slack. Three characters have a meaning in every text (`&`, `<`, `>`); the
 * backtick has no escape at all, so it is replaced.
 * Source: https://docs.slack.dev/messaging/formatting-message-text/
 */

// Controls but tab and newline, invisible characters, and marks that change the direction of writing: all can
// hide or turn round what a person is about to approve.
const unseen = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const loneSurrogate = /\p{Cs}/gu;
const terminalCodes = /(?![\n\t])\p{Cc}(?:\[[0-9;?]*[ -/]*[@-~]|\][^\p{Cc}]*(?![\n\t])\p{Cc}\\?)/gu;

/** Text without characters that a person cannot see; the lines stay. */
export function visible(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(terminalCodes, '')
    .replace(unseen, '')
    .replace(loneSurrogate, '\ufffd');
}

/** No text of a message has room for more; the blocks say so when they cut. */
const LONGEST = 10_000;

function escaped(text: string): string {
  return visible(text.slice(0, LONGEST)).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Looks like a backtick and starts no code. */
const QUOTE = '\u02cb';

/**
 * Text of unknown origin, for mrkdwn: no mention, no link, no code. Its asterisks and underscores may still
 * change how it looks, never what it does.
 */
export function plain(text: string): string {
  return escaped(text).replaceAll('`', QUOTE);
}

/** The same on one line. */
export function line(text: string): string {
  return plain(text).replace(/\s+/g, ' ').trim();
}

/** Inline code of unknown text. */
export function code(text: string): string {
  const inner = line(text);
  return inner === '' ? '' : `\`${inner}\``;
}

/**
 * A sentence of the bot's own: short inline code keeps its meaning, and nothing else does. Names of locks, reasons and
 * words of other systems stand in such sentences, so what looks like a mention or a link is text.
 */
export function prose(text: string): string {
  return withCode(escaped(text), (part) => part);
}

/**
 * The same for a sentence that mentions: outside of inline code, `<@U…>` and `<#C…>` keep their meaning. `<!channel>` and
 * its like never do.
 * @param only ids that may be mentioned; all when not given, for a sentence that holds no word from outside
 */
export function mentioning(text: string, only?: ReadonlySet<string>): string {
  const may = (id: string) => only === undefined || only.has(id);
  return withCode(escaped(text), (part) =>
    part
      .replace(/&lt;@([UW][A-Z0-9]{2,20})(?:\|[^&<>]*)?&gt;/g, (as, id: string) =>
        may(id) ? `<@${id}>` : as,
      )
      .replace(/&lt;#([CG][A-Z0-9]{2,20})(?:\|[^&<>]*)?&gt;/g, (as, id: string) =>
        may(id) ? `<#${id}>` : as,
      ),
  );
}

/** Keeps inline code as it is; of the rest, backticks go that start no code. */
function withCode(text: string, rest: (part: string) => string): string {
  return text
    .replace(/`{2,}/g, (run) => QUOTE.repeat(run.length))
    .split(/(`[^`\n]{1,120}`)/)
    .map((part, index) => (index % 2 === 1 ? part : rest(part.replaceAll('`', QUOTE))))
    .join('');
}

/** Refusals whose sentence mentions a person or the channel, and holds no word from outside. Every other one is text. */
const MENTION: ReadonlySet<string> = new Set<ReasonCode>([
  'run_stopped',
  'already_stopped',
  'already_running',
  'gate_closed',
  'wrong_channel',
]);

/** The words of a refusal, with mentions where its kind has some. */
export function refusalWords(text: string, code: string | undefined): string {
  return code !== undefined && MENTION.has(code) ? mentioning(text) : prose(text);
}

/** A mention of a person, or the bot's own name. Ids that do not look like one are shown as text. */
export function person(id: string | null): string {
  if (id === null || id === 'm10bot') return 'm10bot';
  return /^[UW][A-Z0-9]{2,20}$/.test(id) ? `<@${id}>` : line(id);
}
