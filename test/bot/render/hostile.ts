import fc from 'fast-check';
import type { Block, Rendered } from '../../../src/bot/render/message.js';
import {
  checkBlocks,
  MAX_BLOCK_CHARACTERS,
  readableLength,
} from '../../../workspace/slack/blockkit/blocks.js';

/** Text that tries to be more than text. */
export const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.constantFrom(
    '<!channel> <!here> <!everyone> <!subteam^S0123456>',
    '<@U0123456789> <#C0123456789> <https://evil.example|https://bank.example>',
    '`'.repeat(100_000),
    '```\n<!channel>\n```',
    '&amp;lt;!channel&gt; & < >',
    '\u202egnp.exe\u202c \u2066\u2069 \u200b\u0000\u0007\u001b[31mred\u001b[0m',
    '@channel @here #general',
    `${'x'.repeat(50_000)}\n`.repeat(2),
    'line\n'.repeat(20_000),
    '&'.repeat(5_000),
    '<'.repeat(5_000),
    '😀'.repeat(5_000),
    '\ud83d',
    '',
    ' \n\t ',
  ),
);

function textsOf(value: unknown, key = ''): { key: string; text: string; mrkdwn: boolean }[] {
  if (Array.isArray(value)) return value.flatMap((item) => textsOf(item, key));
  if (value === null || typeof value !== 'object') return [];
  const mrkdwn = 'type' in value && value.type === 'mrkdwn';
  return Object.entries(value).flatMap(([name, item]) =>
    typeof item === 'string' ? [{ key: name, text: item, mrkdwn }] : textsOf(item, name),
  );
}

/** The tokens that mean something to Slack in a text: anything between angle brackets. */
export function tokens(text: string): string[] {
  return text.match(/<[^<>]*>/g) ?? [];
}

const ours = /^<(@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|!date\^\d+\^[^<>|]*\|[^<>]*)>$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

/** Everything that would be wrong with a message; empty when Slack takes it and nobody is fooled by it. */
export function problems(rendered: Rendered): string[] {
  const blocks: readonly Block[] = rendered.blocks;
  const out = checkBlocks(blocks, 'message');
  if (readableLength(blocks) > MAX_BLOCK_CHARACTERS) out.push('too many characters');
  if (rendered.text.length > 4_000) out.push('text too long');
  if (rendered.text.trim() === '') out.push('text says nothing');
  const all = [
    { key: 'text', text: rendered.text, mrkdwn: true },
    ...textsOf(blocks).filter((t) => t.key === 'text'),
  ];
  for (const { text, mrkdwn } of all) {
    if (unseen.test(text)) out.push(`unseen characters in ${JSON.stringify(text.slice(0, 80))}`);
    if (!mrkdwn) continue;
    for (const token of tokens(text)) if (!ours.test(token)) out.push(`a token of unknown origin: ${token}`);
    const left = text.replace(/<[^<>]*>/g, '');
    if (/[<>]/.test(left)) out.push(`an angle bracket in ${JSON.stringify(left.slice(0, 80))}`);
    if (/&(?!amp;|lt;|gt;)/.test(left)) out.push(`a bare ampersand in ${JSON.stringify(left.slice(0, 80))}`);
    if ((left.split('`').length - 1) % 2 === 1) out.push(`code without an end in ${left.slice(0, 80)}`);
    if (left.includes('```')) out.push('a code fence');
  }
  return out;
}
