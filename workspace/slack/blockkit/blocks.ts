import { arrayAt, isObject, stringAt } from '../json.js';
import { anyText, image, plainText } from './compositions.js';
import { accessories, actionElements, inputs, only } from './elements.js';
import { cell, richText } from './rich-text.js';
import { also, boolean, list, object, oneOf, problem, type Rule, text, typed, url } from './rules.js';

const base = { 'block_id?': text(255) };

const section = also(
  object({
    type: oneOf('section'),
    ...base,
    'text?': anyText(3000),
    'fields?': list(anyText(2000), 10),
    'accessory?': typed(accessories),
    'expand?': boolean,
  }),
  (value, at, out) => {
    if (value.text === undefined && value.fields === undefined) {
      problem(out, at, 'missing required field: text');
    }
  },
);

const common: Record<string, Rule> = {
  section,
  header: object({ type: oneOf('header'), ...base, text: plainText(150) }),
  divider: object({ type: oneOf('divider'), ...base }),
  context: object({
    type: oneOf('context'),
    ...base,
    elements: list(
      typed({
        ...only('image'),
        plain_text: anyText(3000),
        mrkdwn: anyText(3000),
      }),
      10,
    ),
  }),
  actions: object({ type: oneOf('actions'), ...base, elements: list(typed(actionElements), 25) }),
  image: image({ type: oneOf('image'), ...base, 'title?': plainText(2000) }),
  rich_text: richText(base),
  input: object({
    type: oneOf('input'),
    ...base,
    label: plainText(2000),
    element: typed(inputs),
    'hint?': plainText(2000),
    'optional?': boolean,
    'dispatch_action?': boolean,
  }),
  video: object({
    type: oneOf('video'),
    ...base,
    alt_text: text(2000),
    title: plainText(200),
    video_url: url,
    thumbnail_url: url,
    'title_url?': url,
    'author_name?': text(50),
    'provider_name?': text(50),
    'provider_icon_url?': url,
    'description?': plainText(200),
  }),
};

const messageOnly: Record<string, Rule> = {
  markdown: object({ type: oneOf('markdown'), ...base, text: text(12_000) }),
  context_actions: object({
    type: oneOf('context_actions'),
    ...base,
    elements: list(typed(only('feedback_buttons', 'icon_button')), 5),
  }),
  table: object({
    type: oneOf('table'),
    ...base,
    rows: list(list(cell, 20), 100),
    'column_settings?': list(
      object({ 'align?': oneOf('left', 'center', 'right'), 'is_wrapped?': boolean }),
      20,
      0,
    ),
  }),
};

/** Every action_id once in its block; every block_id once in the whole. */
function unique(blocks: readonly unknown[], at: string, out: string[]): void {
  const seenBlocks = new Set<string>();
  blocks.forEach((block, i) => {
    const blockId = stringAt(block, 'block_id');
    if (blockId !== undefined && seenBlocks.has(blockId)) {
      problem(out, `${at}/${i}/block_id`, `\`block_id\` "${blockId}" already exists`);
    }
    if (blockId !== undefined) seenBlocks.add(blockId);
    const seen = new Set<string>();
    arrayAt(block, 'elements').forEach((element, j) => {
      const id = stringAt(element, 'action_id');
      if (id !== undefined && seen.has(id)) {
        problem(
          out,
          `${at}/${i}/elements/${j}/action_id`,
          `\`action_id\` "${id}" already exists for another element in this block`,
        );
      }
      if (id !== undefined) seen.add(id);
    });
  });
}

/**
 * What Slack would find wrong with a list of blocks, in its words; empty when it would take them.
 *
 * @param where - a message takes 50 blocks, a modal or the Home tab 100
 */
export function checkBlocks(blocks: unknown, where: 'message' | 'view', at = '/blocks'): string[] {
  const out: string[] = [];
  const kinds = where === 'message' ? { ...common, ...messageOnly } : common;
  list(typed(kinds), where === 'message' ? 50 : 100, 0)(blocks, at, out);
  if (!Array.isArray(blocks)) return out;
  unique(blocks, at, out);
  const tables = blocks.flatMap((b, i) => (stringAt(b, 'type') === 'table' ? [i] : []));
  for (const extra of tables.slice(1)) problem(out, `${at}/${extra}`, 'only one table block is allowed');
  return out;
}

/** Members of blocks that people read; addresses, ids and values do not count as text. */
const READABLE = new Set(['text', 'fallback', 'alt_text', 'title']);

/** Characters that people read in `value`, at any depth. */
export function readableLength(value: unknown, key = ''): number {
  if (typeof value === 'string') return READABLE.has(key) ? value.length : 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + readableLength(item, key), 0);
  if (!isObject(value)) return 0;
  return Object.entries(value).reduce((sum, [name, member]) => sum + readableLength(member, name), 0);
}

/** Slack answers `msg_blocks_too_long` at about this many characters in all blocks of a message. */
export const MAX_BLOCK_CHARACTERS = 13_000;
