import { expect, test } from 'vitest';
import type { SeenMessage } from '../../../workspace/slack/people/protocol.js';
import { USERS } from '../../../workspace/slack/people.js';
import { columns, wrap } from '../../../workspace/slack/transcript/spans.js';
import { renderChannel, renderEphemeral, renderMessage } from '../../../workspace/slack/transcript.js';

function message(part: Partial<SeenMessage>): SeenMessage {
  return {
    channel: 'C0INCIDENT',
    ts: '1700000527.000100',
    user: USERS.bot,
    text: '',
    blocks: [],
    replies: [],
    reactions: [],
    metadata: null,
    edited: null,
    files: [],
    ...part,
  };
}

const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });
const plain = (text: string) => ({ type: 'plain_text', text });

test('a gate reads like a page: title, fields, commands, buttons, reactions', () => {
  const gate = message({
    text: 'Approval needed',
    edited: { user: USERS.bot, ts: '1700000540.000000' },
    blocks: [
      { type: 'header', text: plain('Approval needed: production') },
      {
        type: 'section',
        text: mrkdwn(
          `<@${USERS.alice}> asks to *migrate* \`production\` &amp; verify <https://x.test/run|run 12>`,
        ),
      },
      { type: 'section', fields: [mrkdwn('*From*\n021'), mrkdwn('*To*\n022'), mrkdwn('*Until*\n14:30')] },
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_list',
            style: 'ordered',
            elements: [
              { type: 'rich_text_section', elements: [{ type: 'text', text: 'Back up' }] },
              {
                type: 'rich_text_section',
                elements: [{ type: 'text', text: 'Upgrade', style: { bold: true } }],
              },
            ],
          },
          {
            type: 'rich_text_preformatted',
            elements: [{ type: 'text', text: 'alembic upgrade 022\n  --sql' }],
          },
        ],
      },
      { type: 'divider' },
      {
        type: 'actions',
        elements: [
          { type: 'button', action_id: 'a', text: plain('Retry') },
          { type: 'button', action_id: 'b', style: 'danger', text: plain('Stop') },
        ],
      },
      { type: 'context', elements: [mrkdwn('Fingerprint `3f9a`')] },
    ],
    reactions: [
      { name: 'white_check_mark', users: [USERS.bob, USERS.carol] },
      { name: 'x', users: [USERS.gina] },
    ],
    files: [{ id: 'F1', name: 'plan.sql', title: 'SQL', mimetype: 'text/plain', size: 2345 }],
  });
  expect(renderMessage(gate, { width: 70 })).toEqual([
    '22:22:07  @m10bot  (updated 22:22:20)',
    '          Approval needed: production',
    '          ───────────────────────────',
    '          @alice asks to migrate production & verify run 12',
    '          (https://x.test/run)',
    '          From                           To',
    '          021                            022',
    '          Until',
    '          14:30',
    '          1. Back up',
    '          2. Upgrade',
    '          │ alembic upgrade 022',
    '          │   --sql',
    '          ────────────────────────────────────────',
    '          [ Retry ]  [ Stop ]',
    '          Fingerprint 3f9a',
    '          📎 plan.sql (SQL) · 2.3 kB',
    '          ✅ 2 @bob @carol   ❌ 1 @gina',
  ]);
});

test('replies stand indented under their message, whatever was said in between', () => {
  const lines = renderChannel([
    message({ text: 'Run 12', replies: ['1700000529.000000'] }),
    message({ ts: '1700000528.000000', user: USERS.bob, text: 'Looks good :tada:' }),
    message({ ts: '1700000529.000000', thread_ts: '1700000527.000100', text: 'Step 1 passed\n```a\n  b```' }),
  ]);
  expect(lines).toEqual([
    '22:22:07  @m10bot',
    '          Run 12',
    '    22:22:09  ↳ @m10bot',
    '              Step 1 passed',
    '              │ a',
    '              │   b',
    '',
    '22:22:08  @bob',
    '          Looks good 🎉',
  ]);
});

test('colours are there only when asked for, and change nothing else', () => {
  const bold = message({ text: '*Stopped* by <@U0ALICE001>: a_b_c stays' });
  const coloured = renderMessage(bold, { colour: true }).join('\n');
  expect(coloured).toContain('\u001b[1mStopped\u001b[0m');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this removes the colours
  expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(renderMessage(bold).join('\n'));
  expect(renderMessage(bold)[1]).toBe('          Stopped by @alice: a_b_c stays');
});

test('what one person sees is marked as such', () => {
  const lines = renderEphemeral({
    channel: 'C0INCIDENT',
    ts: '1700000527.000100',
    to: USERS.alice,
    text: 'Nothing is running',
    blocks: [],
    via: 'command',
  });
  expect(lines).toEqual(['22:22:07  @m10bot  (only @alice sees this)', '          Nothing is running']);
});

test('no line is wider than the terminal, and no word is lost', () => {
  const text = `Waiting for ✅ from @bob ${'x'.repeat(50)} and then some more words`;
  const lines = wrap([{ text, look: 'plain' }], 20).map((l) => l.map((s) => s.text).join(''));
  for (const line of lines) expect(columns(line.trimEnd())).toBeLessThanOrEqual(20);
  expect(lines.join('')).toBe(text);
});

test('tables are aligned', () => {
  const raw = (text: string) => ({ type: 'raw_text', text });
  const table = message({
    text: 't',
    blocks: [
      {
        type: 'table',
        rows: [
          [raw('table'), raw('rows')],
          [raw('outbox'), raw('12')],
        ],
      },
    ],
  });
  expect(renderMessage(table).slice(1)).toEqual(['          table   rows', '          outbox  12']);
});
