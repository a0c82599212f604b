import { describe, expect, test } from 'vitest';
import { checkBlocks, readableLength } from '../../../workspace/slack/blockkit/blocks.js';
import { checkView } from '../../../workspace/slack/blockkit/views.js';

const plain = (text: string) => ({ type: 'plain_text', text });
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });
const x = (length: number) => 'x'.repeat(length);
const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const button = (fields: Record<string, unknown> = {}) => ({ type: 'button', text: plain('Go'), ...fields });
const actions = (...elements: unknown[]) => [{ type: 'actions', elements }];
const section = (text: string) => ({ type: 'section', text: mrkdwn(text) });
const rich = (...elements: unknown[]) => [{ type: 'rich_text', elements }];
const confirm = (fields: Record<string, unknown> = {}) => ({
  title: plain('Sure?'),
  text: mrkdwn('It cannot be undone'),
  confirm: plain('Yes'),
  deny: plain('No'),
  ...fields,
});
const option = (i: number) => ({ text: plain(`option ${i}`), value: String(i) });

/** Each row: what is tried, blocks at the limit that Slack takes, blocks past it, and where the problem is. */
const LIMITS: [string, unknown[], unknown[], string][] = [
  ['50 blocks', times(50, () => ({ type: 'divider' })), times(51, () => ({ type: 'divider' })), '/blocks'],
  ['section text 3000', [section(x(3000))], [section(x(3001))], '/blocks/0/text/text'],
  [
    '10 fields of 2000',
    [{ type: 'section', fields: times(10, () => mrkdwn(x(2000))) }],
    [{ type: 'section', fields: times(11, () => mrkdwn('x')) }],
    '/blocks/0/fields',
  ],
  [
    'field text 2000',
    [{ type: 'section', fields: [plain(x(2000))] }],
    [{ type: 'section', fields: [plain(x(2001))] }],
    '/blocks/0/fields/0/text',
  ],
  [
    'header 150',
    [{ type: 'header', text: plain(x(150)) }],
    [{ type: 'header', text: plain(x(151)) }],
    '/blocks/0/text/text',
  ],
  [
    'plain text in headers',
    [{ type: 'header', text: plain('x') }],
    [{ type: 'header', text: mrkdwn('x') }],
    '/blocks/0/text/type',
  ],
  [
    '25 actions',
    actions(...times(25, () => button())),
    actions(...times(26, () => button())),
    '/blocks/0/elements',
  ],
  [
    'button text 75',
    actions(button({ text: plain(x(75)) })),
    actions(button({ text: plain(x(76)) })),
    '/blocks/0/elements/0/text/text',
  ],
  [
    'button value 2000',
    actions(button({ value: x(2000) })),
    actions(button({ value: x(2001) })),
    '/blocks/0/elements/0/value',
  ],
  [
    'action_id 255',
    actions(button({ action_id: x(255) })),
    actions(button({ action_id: x(256) })),
    '/blocks/0/elements/0/action_id',
  ],
  [
    'button style',
    actions(button({ style: 'danger' })),
    actions(button({ style: 'warning' })),
    '/blocks/0/elements/0/style',
  ],
  [
    'confirm title 100',
    actions(button({ confirm: confirm({ title: plain(x(100)) }) })),
    actions(button({ confirm: confirm({ title: plain(x(101)) }) })),
    '/blocks/0/elements/0/confirm/title/text',
  ],
  [
    'confirm text 300',
    actions(button({ confirm: confirm({ text: mrkdwn(x(300)) }) })),
    actions(button({ confirm: confirm({ text: mrkdwn(x(301)) }) })),
    '/blocks/0/elements/0/confirm/text/text',
  ],
  [
    'confirm button 30',
    actions(button({ confirm: confirm({ deny: plain(x(30)) }) })),
    actions(button({ confirm: confirm({ deny: plain(x(31)) }) })),
    '/blocks/0/elements/0/confirm/deny/text',
  ],
  [
    '10 context elements',
    [{ type: 'context', elements: times(10, () => mrkdwn('x')) }],
    [{ type: 'context', elements: times(11, () => mrkdwn('x')) }],
    '/blocks/0/elements',
  ],
  [
    'block_id 255',
    [{ type: 'divider', block_id: x(255) }],
    [{ type: 'divider', block_id: x(256) }],
    '/blocks/0/block_id',
  ],
  [
    '100 options',
    actions({ type: 'static_select', options: times(100, option) }),
    actions({ type: 'static_select', options: times(101, option) }),
    '/blocks/0/elements/0/options',
  ],
  [
    'options in an overflow menu',
    actions({ type: 'overflow', options: times(5, option) }),
    actions({ type: 'overflow', options: times(6, option) }),
    '/blocks/0/elements/0/options',
  ],
  [
    'table of 100 rows',
    [{ type: 'table', rows: times(100, () => [{ type: 'raw_text', text: 'x' }]) }],
    [{ type: 'table', rows: times(101, () => [{ type: 'raw_text', text: 'x' }]) }],
    '/blocks/0/rows',
  ],
  [
    'table of 20 columns',
    [{ type: 'table', rows: [times(20, () => ({ type: 'raw_text', text: 'x' }))] }],
    [{ type: 'table', rows: [times(21, () => ({ type: 'raw_text', text: 'x' }))] }],
    '/blocks/0/rows/0',
  ],
  [
    'one table a message',
    [{ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] }],
    times(2, () => ({ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] })),
    '/blocks/1',
  ],
  ['empty text', [section('x')], [section('')], '/blocks/0/text/text'],
  ['unknown blocks', [{ type: 'divider' }], [{ type: 'hr' }], '/blocks/0/type'],
  ['unknown elements', actions(button()), actions({ type: 'lever' }), '/blocks/0/elements/0/type'],
  ['unknown fields', [section('x')], [{ ...section('x'), colour: 'red' }], '/blocks/0'],
  ['a section needs text', [{ type: 'section', fields: [plain('x')] }], [{ type: 'section' }], '/blocks/0'],
  [
    'buttons stand in actions',
    actions(button()),
    [{ type: 'context', elements: [button()] }],
    '/blocks/0/elements/0/type',
  ],
  [
    'action_id once in a block',
    [...actions(button({ action_id: 'a' })), ...actions(button({ action_id: 'a' }))],
    actions(button({ action_id: 'a' }), button({ action_id: 'a' })),
    '/blocks/0/elements/1/action_id',
  ],
  [
    'block_id once in a message',
    [
      { type: 'divider', block_id: 'a' },
      { type: 'divider', block_id: 'b' },
    ],
    times(2, () => ({ type: 'divider', block_id: 'a' })),
    '/blocks/1/block_id',
  ],
  [
    'preformatted text has no mentions',
    rich({ type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'x' }] }),
    rich({ type: 'rich_text_preformatted', elements: [{ type: 'user', user_id: 'U1' }] }),
    '/blocks/0/elements/0/elements/0/type',
  ],
  [
    'rich text is not empty',
    rich({ type: 'rich_text_section', elements: [{ type: 'text', text: ' ' }] }),
    rich({ type: 'rich_text_section', elements: [{ type: 'text', text: '' }] }),
    '/blocks/0/elements/0/elements/0/text',
  ],
  [
    'lists hold sections',
    rich({
      type: 'rich_text_list',
      style: 'bullet',
      elements: [{ type: 'rich_text_section', elements: [{ type: 'emoji', name: 'x' }] }],
    }),
    rich({ type: 'rich_text_list', style: 'bullet', elements: [{ type: 'text', text: 'x' }] }),
    '/blocks/0/elements/0/elements/0/type',
  ],
  [
    'images have one source',
    [{ type: 'image', image_url: 'https://x.test/a.png', alt_text: 'a' }],
    [{ type: 'image', alt_text: 'a' }],
    '/blocks/0',
  ],
  [
    'button addresses',
    actions(button({ url: 'https://x.test' })),
    actions(button({ url: 'x.test/run' })),
    '/blocks/0/elements/0/url',
  ],
];

describe('messages', () => {
  test.each(LIMITS)('%s', (_, taken, refused, at) => {
    expect(checkBlocks(taken, 'message')).toEqual([]);
    const problems = checkBlocks(refused, 'message');
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`[json-pointer:${at}]`);
  });

  test('several problems are all told', () => {
    const problems = checkBlocks([section(''), { type: 'header', text: plain(x(151)) }], 'message');
    expect(problems).toEqual([
      'must be more than 0 characters [json-pointer:/blocks/0/text/text]',
      'must be less than 151 characters [json-pointer:/blocks/1/text/text]',
    ]);
  });

  test('only what people read counts as text', () => {
    expect(readableLength([section('four'), ...actions(button({ value: x(500), action_id: 'a' }))])).toBe(6);
  });
});

describe('views', () => {
  const input = {
    type: 'input',
    label: plain('Why?'),
    element: { type: 'plain_text_input', action_id: 'a' },
  };
  const modal = (fields: Record<string, unknown> = {}) => ({
    type: 'modal',
    title: plain('Skip'),
    submit: plain('Skip'),
    blocks: [input],
    ...fields,
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['title 24', { title: plain(x(24)) }, { title: plain(x(25)) }, '/view/title/text'],
    [
      'private_metadata 3000',
      { private_metadata: x(3000) },
      { private_metadata: x(3001) },
      '/view/private_metadata',
    ],
    ['submit 24', { submit: plain(x(24)) }, { submit: plain(x(25)) }, '/view/submit/text'],
    ['submit beside inputs', {}, { submit: undefined }, '/view/submit'],
    [
      '100 blocks',
      { blocks: times(100, () => ({ type: 'divider' })) },
      { blocks: times(101, () => ({ type: 'divider' })) },
      '/view/blocks',
    ],
    ['no tables', { blocks: [input] }, { blocks: [{ type: 'table', rows: [] }] }, '/view/blocks/0/type'],
    ['callback_id 255', { callback_id: x(255) }, { callback_id: x(256) }, '/view/callback_id'],
  ])('%s', (_, taken, refused, at) => {
    expect(checkView(modal(taken), 'modal')).toEqual([]);
    expect(checkView(modal(refused), 'modal').join('\n')).toContain(`[json-pointer:${at}]`);
  });

  test('a Home tab has no title, and a modal is not a Home tab', () => {
    expect(checkView({ type: 'home', blocks: [section('x')] }, 'home')).toEqual([]);
    expect(checkView(modal(), 'home')).toEqual(['unsupported type: modal [json-pointer:/view/type]']);
  });
});
